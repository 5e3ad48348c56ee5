//! Files that a person names on the command line: what is there already is written to as it is meant to be.
#![allow(clippy::unwrap_used, reason = "tests may fail loudly")]

use std::fs;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _, symlink};
use std::path::Path;

use crate::support::cli::Home;

fn done() -> Home {
    let home = Home::new();
    home.step("run poem -i topic=sea -i stanzas=1 --review accept").exits(0);
    home
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn an_export_keeps_the_mode_of_a_file_and_goes_through_a_link() {
    let home = done();
    let file = home.write("report.md", "before");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o664)).unwrap();
    symlink("report.md", home.path().join("link.md")).unwrap();
    home.step("export last --format md -o link.md").exits(0);
    assert!(fs::symlink_metadata(home.path().join("link.md")).unwrap().is_symlink());
    assert_eq!(mode(&file), 0o664);
    assert!(fs::read_to_string(&file).unwrap().contains("sea"));
    for (umask, expected) in [("022", 0o644), ("027", 0o640), ("077", 0o600)] {
        let made = home.shell(&format!("umask {umask} && stepwell export last --format md -o new-{umask}.md"));
        assert_eq!(made.code, 0, "{made:?}");
        assert_eq!(mode(&home.path().join(format!("new-{umask}.md"))), expected);
    }
}

#[test]
fn an_export_goes_into_a_pipe_and_leaves_it_a_pipe() {
    let home = done();
    assert!(home.shell("mkfifo pipe").code == 0);
    let read = home.shell("cat pipe & stepwell export last --format json -o pipe && wait");
    assert_eq!(read.code, 0, "{read:?}");
    assert!(read.out.contains("\"title\": \"sea\""), "{read:?}");
    assert!(fs::symlink_metadata(home.path().join("pipe")).unwrap().file_type().is_fifo());
    // What the shell calls its own stdout is what it was, not a file in its place.
    let both = home.shell("{ stepwell export last --format md -o /dev/stdout; echo after; } > both.md");
    assert_eq!(both.code, 0, "{both:?}");
    let piped = home.shell("stepwell export last --format md -o /dev/stdout | cat");
    assert!(piped.out.contains("sea"), "{piped:?}");
}

#[test]
fn what_stdout_goes_to_is_written_at_its_end_and_no_link_to_it_is_replaced() {
    let home = done();
    let both = home.shell("echo before > log; ln -s /dev/stdout link; for to in /dev/stdout link /dev/fd/1; do stepwell export last --format md -o $to >> log; done; echo after >> log");
    assert_eq!(both.code, 0, "{both:?}");
    let log = fs::read_to_string(home.path().join("log")).unwrap();
    assert!(log.starts_with("before\n") && log.ends_with("after\n"), "{log}");
    assert_eq!(log.matches("# sea\n").count(), 3, "{log}");
    assert!(fs::symlink_metadata(home.path().join("link")).unwrap().is_symlink());
    // What is printed besides comes after it, not over it.
    home.shell("{ stepwell export last --format md -o /dev/stdout; echo after; } > both.md");
    let both = fs::read_to_string(home.path().join("both.md")).unwrap();
    assert!(both.starts_with("# sea\n") && both.ends_with("after\n"), "{both}");
}

#[test]
fn a_file_that_is_mounted_by_itself_is_written_where_it_is() {
    let home = done();
    home.write("mounted.md", "before");
    home.write("below.md", "below");
    let line = "unshare -rm sh -c 'mount --bind below.md mounted.md && stepwell export last --format md -o mounted.md && cat mounted.md'";
    let written = home.shell(line);
    if written.err.contains("unshare") || written.err.contains("mount:") {
        eprintln!("SKIPPED: nothing can be mounted here ({})", written.err.trim());
        return;
    }
    assert!(written.code == 0 && written.out.contains("# sea\n"), "{written:?}");
}

#[test]
fn results_in_a_folder_keep_the_links_and_modes_that_are_there() {
    let home = Home::new();
    let kept = home.write("kept/poem.md", "before");
    fs::set_permissions(&kept, fs::Permissions::from_mode(0o644)).unwrap();
    fs::create_dir(home.path().join("out")).unwrap();
    symlink("../kept/poem.md", home.path().join("out/result.md")).unwrap();
    let run = home.shell("umask 027 && stepwell run poem -i topic=sea -i stanzas=1 --review accept --out out");
    assert_eq!(run.code, 0, "{run:?}");
    assert!(fs::symlink_metadata(home.path().join("out/result.md")).unwrap().is_symlink());
    assert_ne!(fs::read_to_string(&kept).unwrap(), "before");
    assert_eq!(mode(&kept), 0o644);
    assert_eq!(mode(&home.path().join("out/run.json")), 0o640);
    let run = home.shell("umask 022 && stepwell run poem -i topic=sea -i stanzas=1 --review accept --out made/here");
    assert_eq!((run.code, mode(&home.path().join("made/here"))), (0, 0o755), "{run:?}");
}

#[test]
fn a_folder_or_a_full_disk_is_said_and_what_was_there_stays() {
    let home = done();
    fs::create_dir(home.path().join("folder")).unwrap();
    let refused = home.step("export last --format md -o folder").exits(2);
    assert!(refused.err.contains("it is a folder"), "{refused:?}");
    let full = home.step("export last --format md -o /dev/full").exits(2);
    assert!(full.err.contains("/dev/full cannot be written"), "{full:?}");
    let before = home.write("report.json", "before");
    // A file may grow to 64 kB here, and the whole run takes more.
    home.write("topic", &"sea ".repeat(50_000));
    home.step("run poem -i topic=@topic -i stanzas=1 --review accept").exits(0);
    let script = "trap '' XFSZ; ulimit -f 128; exec stepwell export last --format json --scope full -o report.json";
    let full = home.shell(script).exits(2);
    assert!(full.err.contains("report.json cannot be written"), "{full:?}");
    assert_eq!(fs::read_to_string(&before).unwrap(), "before");
    let left: Vec<_> = fs::read_dir(home.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().contains("unfinished")), "{left:?}");
}
