//! A command that names a file of its definition's folder, with the real binary and a real folder.
#![allow(clippy::unwrap_used, reason = "tests may fail loudly")]

mod support;

use support::cli::Home;

const WORKFLOW: &str = "id = \"price\"\nname = \"Price\"\n\n[[inputs]]\nname = \"word\"\n\n[[steps]]\nid = \"ask\"\nkind = \"command\"\nargv = [\"sh\", \"@/tools/price.sh\", \"{{ inputs.word }}\"]\n";

#[test]
fn a_file_beside_the_workflow_is_checked_trusted_shown_and_run_from_a_copy() {
    let home = Home::new();
    home.write("defs/workflows/price/workflow.toml", WORKFLOW);
    let missing = home.step("check defs").exits(4);
    let said = format!("{}{}", missing.out, missing.err);
    assert!(said.contains("workflow.toml:10:15: `@/tools/price.sh` is a file of the definition's folder: there is no file `tools/price.sh`"), "{said}");
    home.write("defs/workflows/price/tools/price.sh", ". \"$(dirname \"$0\")/rates.sh\"\necho \"$1 costs $RATE\"\n");
    home.write("defs/workflows/price/tools/rates.sh", "RATE=3\n");
    home.step("check defs").exits(0);
    home.step("run price --dir defs -i word=tea").exits(4);
    home.step("trust defs").exits(0);
    let waits = home.step("run price --dir defs -i word=tea").exits(3);
    assert!(waits.out.contains("@/tools/price.sh (element 2) = SHA-256 "), "{}", waits.out);
    // What runs is what was kept, whatever becomes of the folder.
    home.write("defs/workflows/price/tools/price.sh", "echo something else\n");
    home.step("review last --approve").exits(0);
    assert_eq!(home.call("ask")["output"], "tea costs 3");
    let changed = home.step("run price --dir defs -i word=tea").exits(4);
    assert!(changed.err.contains("has changed since it was trusted"), "{}", changed.err);
}
