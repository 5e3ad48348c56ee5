//! Transcripts of every form, and of none.

use proptest::prelude::*;

use super::*;

/// The lines as `start-end speaker: text`.
fn shown(text: &str) -> Vec<String> {
    let line = |line: SpokenLine| {
        let moment = |moment: Option<Moment>| moment.map(|moment| moment.to_string()).unwrap_or_default();
        let speaker = line.speaker.map(|speaker| format!("{speaker}: ")).unwrap_or_default();
        let times = format!("{}-{} ", moment(line.start), moment(line.end));
        format!("{}{speaker}{}", times.trim_start_matches("- "), line.text)
    };
    read(text).into_iter().map(line).collect()
}

#[test]
fn forms_with_columns_and_captions_in_xml_are_their_words() {
    let script = |rows: &str| {
        format!("[Script Info]\nTitle: No word\n\n[V4+ Styles]\nFormat: Name\nStyle: D\n\n[Events]\n{rows}")
    };
    for (text, lines) in [
        (
            script(
                "Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text\n\
                 Dialogue: 0,0:00:03.00,0:00:04.50,D,,0,0,0,,{\\i1}Then{\\i0}, later\n\
                 Comment: 0,0:00:01.00,0:00:02.00,D,,0,0,0,,not said\n\
                 Dialogue: 0,0:00:01.00,0:00:02.00,D,Ana,0,0,0,,First,\\Nof\\hall\n\
                 Dialogue: 1,0:00:01.00,0:00:02.00,D,Ana,0,0,0,,{\\blur2}First,\\Nof\\hall\n\
                 Dialogue: 0,0:00:01.00,0:00:02.00,D,,0,0,0,,{\\an7\\p1}m 0 0 l 10 10{\\p0}\n\
                 Dialogue: 0,0:00:01.00,0:00:02.00,D,,0,0,0,fx,F\n",
            ),
            vec!["0:01-0:02 Ana: First, of all", "0:03-0:04 Then, later"],
        ),
        (script("Format: Start, End, Text\nDialogue: 0:00:01.00,0:00:02.00,a, b\n"), vec!["0:01-0:02 a, b"]),
        ("start\tend\ttext\n0\t1500\tHello\n1500\t61000\tWhat:\tyou?\n".to_owned(), vec!["0:00-0:01 Hello", "0:01-1:01 What: you?"]),
        (
            "<?xml version=\"1.0\"?>\n<!-- <p>no</p> -->\n<tt:tt xmlns:tt=\"x\" ttp:frameRate=\"25\"><tt:head><ttm:title>No</ttm:title>\
             </tt:head><tt:body><tt:div>\n<tt:p xml:id=\"a\" begin=\"00:00:01.000\" end='00:00:02:00'>Salt &amp; <tt:span>pepper</tt:span>\
             <tt:br/>on\n  it</tt:p><tt:p begin=\"3s\" dur=\"500ms\">Yes</tt:p><tt:p/></tt:div></tt:body></tt:tt>"
                .to_owned(),
            vec!["0:01-0:02 Salt & pepper on it", "0:03-0:03 Yes"],
        ),
        (
            "<tt ttp:tickRate=\"10000000\"><body><div><p begin=\"10000000t\" end=\"20000000t\">One</p></div></body></tt>".to_owned(),
            vec!["0:01-0:02 One"],
        ),
        (
            "<?xml version=\"1.0\" ?><transcript><text start=\"1.5\" dur=\"2\">It&amp;#39;s &lt;i&gt;so&lt;/i&gt;</text></transcript>".to_owned(),
            vec!["0:01-0:03 It's so"],
        ),
        (
            "<timedtext format=\"3\"><head><pen id=\"1\"/></head><body><p t=\"1000\" d=\"500\"><s>two</s><s t=\"9\"> words</s></p></body></timedtext>"
                .to_owned(),
            vec!["0:01-0:01 two words"],
        ),
        (
            "<tt><body><p begin=\"1s\" end=\"2s\"><![CDATA[Salt & <b>pepper</b> &amp;]]></p>\n\
             <p title=\"a > b\" begin=\"2s\" end=\"3s\">Fish & chips</p><p begin=\"3s\">cut off"
                .to_owned(),
            vec!["0:01-0:02 Salt & pepper &", "0:02-0:03 Fish & chips", "0:03- cut off"],
        ),
        ("[ti:Tea]\n[ar:Ana]\n[length: 1:00]\n[00:01.00]Pour it\n[00:02.00]Drink it\n".to_owned(), vec!["0:01- Pour it", "0:02- Drink it"]),
        (r#"{"results": {"transcripts": [{"transcript": "All of it."}], "items": []}}"#.to_owned(), vec!["All of it."]),
        // Only what it begins with makes a text one of these.
        ("<p>One</p>".to_owned(), vec!["<p>One</p>"]),
        ("start\tend\ttext\nof the play\n".to_owned(), vec!["start end text", "of the play"]),
        ("[Script Info]\nis what it begins with".to_owned(), vec!["[Script Info]", "is what it begins with"]),
    ] {
        assert_eq!(shown(&text), lines, "{text}");
    }
}

#[test]
fn captions_are_their_words_with_times_and_names() {
    for (text, lines) in [
        ("1\n00:00:01,000 --> 00:00:02,500\nHello\nthere.\n", vec!["0:01-0:02 Hello there."]),
        ("WEBVTT\n\n00:01.000 --> 00:02.000\n<v.loud Ana P.>Hi <i>you</i></v>", vec!["0:01-0:02 Ana P.: Hi you"]),
        (
            "WEBVTT\n\n26:03:04.000 --> 100:00:00.000 align:start\n<v Ana>One</v> <v Ben>Two</v>\n",
            vec!["26:03:04-100:00:00 Ana: One", "26:03:04-100:00:00 Ben: Two"],
        ),
        ("WEBVTT\n00:01.000 --> 00:02.000\nNo blank line", vec!["0:01-0:02 No blank line"]),
        ("WEBVTT\n\nintro\n00:01.000 --> 00:02.000\nNamed cue", vec!["0:01-0:02 Named cue"]),
        ("WEBVTT\n\nNOTE a\nb\n\nNOTE\n\n00:01.000 --> 00:02.000\nx\n\nNOTE end", vec!["0:01-0:02 x"]),
        // Numbers that are said are words, also with a blank line before them.
        (
            "1\n00:00:01,000 --> 00:00:02,000\n42\n\n2\n00:00:03,000 --> 00:00:04,000\n7",
            vec!["0:01-0:02 42", "0:03-0:04 7"],
        ),
        (
            "1\n00:00:01,000 --> 00:00:02,000\nOne\n\nmore.\n\n2\n00:00:03,000 --> 00:00:04,000\nTwo",
            vec!["0:01-0:02 One more.", "0:03-0:04 Two"],
        ),
        ("1\n00:00:01,000 --> 00:00:02,000\n- Yes?\n- No.\n", vec!["0:01-0:02 Yes?", "0:01-0:02 No."]),
        ("1\n00:00:01,000 --> 00:00:02,000\n- A dash alone\n", vec!["0:01-0:02 - A dash alone"]),
        ("1\n00:00:01,000 --> 00:00:02,000\nANA: Hi.\nBEN: Ho.\n", vec!["0:01-0:02 ANA: Hi.", "0:01-0:02 BEN: Ho."]),
        ("1\n00:00:01,000 --> 00:00:02,000\nANA:\nHi.\n", vec!["0:01-0:02 ANA: Hi."]),
        (
            "1\n00:00:01,000 --> 00:00:02,000\n{\\an8}<font color=red>a < b, <3 &amp; {c}</font>\n",
            vec!["0:01-0:02 a < b, <3 & {c}"],
        ),
        // What is said twice is there twice.
        (
            "1\n00:00:01,000 --> 00:00:02,000\nNo.\n\n2\n00:00:02,000 --> 00:00:03,000\nNo.\n",
            vec!["0:01-0:02 No.", "0:02-0:03 No."],
        ),
        (
            "[00:00:01.000 --> 00:00:04.000]   Ana: Hi.\n[00:00:04.000 --> 00:00:05.000]  Ho.",
            vec!["0:01-0:04 Ana: Hi.", "0:04-0:05 Ho."],
        ),
        ("before\n\n1\n00:00:01,000 --> 00:00:02,000\nx", vec!["0:00-0:00 before", "0:01-0:02 x"]),
        ("0:00:01.000,0:00:02.000\nSBV\n", vec!["0:01-0:02 SBV"]),
        ("WEBVTT", vec![]),
    ] {
        assert_eq!(shown(text), lines, "{text}");
    }
}

#[test]
fn captions_that_roll_say_each_line_once_and_keep_what_is_really_repeated() {
    let rolling = "WEBVTT\n\n00:00.000 --> 00:02.000\n \nso<00:00.400><c> today</c>\n\n00:02.000 --> 00:02.010\nso today\n \n\n\
        00:02.010 --> 00:04.000\nso today\nyeah\n\n00:04.000 --> 00:04.010\nyeah\n \n\n00:04.010 --> 00:06.000\nyeah\nyeah\n\n\
        00:06.000 --> 00:06.010\nyeah\n \n\n00:06.010 --> 00:08.000\nyeah\nwe &amp; you<00:07.000><c> go</c>\n";
    let said: Vec<String> = read(rolling).into_iter().map(|line| line.text).collect();
    assert_eq!(said, ["so today", "yeah", "yeah", "we & you go"]);
    // Not at once: it was said again.
    let apart = "1\n00:00:01,000 --> 00:00:02,000\nNo.\n\n2\n00:00:09,000 --> 00:00:10,000\nNo.\nNever.\n";
    assert_eq!(shown(apart), ["0:01-0:02 No.", "0:09-0:10 No. Never."]);
}

#[test]
fn plain_transcripts_have_times_and_names_where_the_whole_text_goes_along() {
    for (text, lines) in [
        ("[00:01:02] Ana: Hi.\n[00:01:05] Ho.", vec!["1:02- Ana: Hi.", "1:05- Ho."]),
        ("0:01 - text\n0:04 – more", vec!["0:01- text", "0:04- more"]),
        ("(0:01) text", vec!["0:01- text"]),
        ("00:01 - 00:04 text\n00:04 - 00:06 more", vec!["0:01-0:04 text", "0:04-0:06 more"]),
        ("0:00\nso today\n0:04\nwe go", vec!["0:00- so today", "0:04- we go"]),
        (
            "Ana Pérez  0:03\nHi.\nHo.\n\nBen (0:09):\nHu.",
            vec!["0:03- Ana Pérez: Hi.", "Ana Pérez: Ho.", "0:09- Ben: Hu."],
        ),
        ("[Speaker 1 00:00:03]\nHi.", vec!["0:03- Speaker 1: Hi."]),
        ("Ana: Hi.\nno name here: no\nBEN:\nHo.\nHu.", vec!["Ana: Hi.", "no name here: no", "BEN: Ho.", "BEN: Hu."]),
        // A time among words is words, and one that nothing else goes along with.
        (
            "We meet.\nAnd then.\nSo it goes.\nEnd.\n10:30 is late.",
            vec!["We meet.", "And then.", "So it goes.", "End.", "10:30 is late."],
        ),
        ("10:30 is late.\n9:15 is early.", vec!["10:30 is late.", "9:15 is early."]),
        ("a\r\nb\rc\n\n \u{feff}d", vec!["a", "b", "c", "d"]),
        ("WEBVTTish\nx", vec!["WEBVTTish", "x"]),
        ("", vec![]),
    ] {
        assert_eq!(shown(text), lines, "{text}");
    }
}

#[test]
fn the_json_of_transcribers_is_read_and_any_other_is_text() {
    for (text, lines) in [
        (
            r#"{"text":"a b","segments":[{"start":0.0,"end":1.5,"text":" a"},{"start":1.5,"end":3,"text":" b","speaker":"Ana"}]}"#,
            vec!["0:00-0:01 a", "0:01-0:03 Ana: b"],
        ),
        (
            r#"{"transcription":[{"timestamps":{"from":"00:00:01,000"},"offsets":{"from":1000,"to":2000},"text":" a"}]}"#,
            vec!["0:01-0:02 a"],
        ),
        (r#"{"chunks":[{"timestamp":[61.0,null],"text":"a"}]}"#, vec!["1:01- a"]),
        (r#"[{"start":"00:01:00","text":"a"},{"start":"00:02:00","text":"b"}]"#, vec!["1:00- a", "2:00- b"]),
        (
            r#"{"utterances":[{"start":1000,"end":2000,"confidence":0.9,"text":"a","speaker":"B"}]}"#,
            vec!["0:01-0:02 B: a"],
        ),
        (
            r#"{"events":[{"tStartMs":0},{"tStartMs":1000,"dDurationMs":500,"segs":[{"utf8":"a"},{"utf8":" b"}]}]}"#,
            vec!["0:01-0:01 a b"],
        ),
        ("{\"start\":1,\"text\":\"a\"}\n{\"start\":2,\"text\":\"b & <3\"}\n", vec!["0:01- a", "0:02- b & <3"]),
        (r#"{"text":"only this"}"#, vec!["only this"]),
        ("{\"other\": 1}", vec!["{\"other\": 1}"]),
        ("[laughs] Well.", vec!["[laughs] Well."]),
    ] {
        assert_eq!(shown(text), lines, "{text}");
    }
}

#[test]
fn a_long_line_is_divided_at_its_sentences() {
    let text = "We say this and then we say that, at some length. ".repeat(50);
    let lines = read(&text);
    assert!(
        lines.len() > 5 && lines.iter().all(|line| line.text.ends_with('.') && line.text.len() <= 400),
        "{lines:?}"
    );
    let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(lines.iter().flat_map(|line| words(&line.text)).collect::<Vec<_>>(), words(&text));
    let endless = read(&"word ".repeat(500));
    assert!(endless.iter().all(|line| line.text.len() <= 400 && line.text.ends_with("word")), "{endless:?}");
    let chinese = read(&"我们打开窗口。然后选择第二个选项卡。".repeat(50));
    assert!(chinese.len() > 3 && chinese.iter().all(|line| line.text.ends_with('。')), "{chinese:?}");
}

#[test]
fn what_definitions_see_is_a_list_of_numbered_lines() {
    assert_eq!(
        value(&read("0:01 - Ana: a\n1:00:02 - b")),
        json!([
            { "line": 1, "start": "0:01", "end": "", "speaker": "Ana", "text": "a" },
            { "line": 2, "start": "1:00:02", "end": "", "speaker": "", "text": "b" },
        ])
    );
}

#[test]
fn a_hostile_transcript_takes_no_time() {
    let pieces = [
        "<v ",
        "<c>",
        "{\\",
        "00:00:01.000 --> 00:00:02.000\n",
        "\n",
        "a: ",
        "&amp;",
        "[0:01",
        "-->",
        "0:01\n",
        "- a\n",
        "{",
        "[",
    ];
    for piece in pieces {
        let text = piece.repeat(200_000 / piece.len());
        assert!(read(&text).iter().map(|line| line.text.len()).sum::<usize>() <= text.len());
        let lines = format!("WEBVTT\n\n00:01.000 --> 00:02.000\n{text}\n\n00:02.000 --> 00:03.000\n{text}");
        let _ = read(&lines);
    }
}

/// Words of which each is there once, so that one that is lost or doubled shows.
fn words() -> impl Strategy<Value = Vec<Vec<String>>> {
    proptest::collection::vec(1..6_usize, 1..12).prop_map(|cues| {
        let mut number = 0;
        let mut word = || {
            number += 1;
            format!("w{number}")
        };
        cues.into_iter().map(|length| (0..length).map(|_| word()).collect()).collect()
    })
}

fn time(seconds: usize, comma: char) -> String {
    format!("{:02}:{:02}:{:02}{comma}000", seconds / 3_600, seconds / 60 % 60, seconds % 60)
}

proptest! {
    #[test]
    fn it_never_panics(text in any::<String>()) {
        let _ = read(&text);
    }

    #[test]
    fn it_never_panics_on_what_looks_like_a_transcript(
        text in "(WEBVTT|NOTE|00:01.000|00:00:02,000| --> |-->|\n|\r\n|<v Ana>|</v>|<c>|<00:01.000>|1|Ana:|\\[|\\]|\\{\\\\|\\}|-|é|:|0:01| ){0,40}"
    ) {
        let _ = read(&text);
    }

    #[test]
    fn every_spoken_word_is_kept_once(cues in words(), form in 0..7_usize, crlf: bool, offset in 0..400_000_usize) {
        let mut text = if [1, 2].contains(&form) { "WEBVTT\n\n".to_owned() } else { String::new() };
        let mut before = String::new();
        for (at, words) in cues.iter().enumerate() {
            let (from, to) = (offset + at * 3, offset + at * 3 + 3);
            let said = words.join(" ");
            let cue = match form {
                0 => format!("{}\n{} --> {}\n{}\n\n", at + 1, time(from, ','), time(to, ','), words.join("\n")),
                1 => format!("{} --> {} align:start\n<v Ana>{}</v>\n\n", time(from, '.'), time(to, '.'), words.join("</i>\n<i>")),
                2 => {
                    let timed = words.join(&format!("<{}><c> ", time(from, '.')));
                    format!(
                        "{0} --> {1}\n{before}\n{timed}</c>\n\n{1} --> {1}\n{said}\n \n\n",
                        time(from, '.'), time(to, '.')
                    )
                }
                3 => format!("[{} --> {}]   {said}\n", time(from, '.'), time(to, '.')),
                4 => format!("[{}] Ana: {said}\n", &time(from, '.')[..time(from, '.').len() - 4]),
                5 => format!("{}\n{said}\n", &time(from, '.')[..time(from, '.').len() - 4]),
                _ => format!("{said}\n\n"),
            };
            text.push_str(&cue);
            before.clone_from(&said);
        }
        let text = if crlf { text.replace('\n', "\r\n") } else { text };
        let heard: Vec<String> = read(&text).iter().flat_map(|line| line.text.split(' ').map(str::to_owned).collect::<Vec<_>>()).collect();
        prop_assert_eq!(heard, cues.concat(), "{}", text);
    }
}
