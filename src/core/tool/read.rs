//! `[tools.NAME]` of a config and of a definition: both say the same, and one reader reads them.
//!
//! Every mistake is noted with its place and what would be right; what is wrong is left out. It looks nothing up: whether
//! a server answers, or a variable is set, is known once it is started.

use std::collections::BTreeMap;

use serde_json::Value;

use super::declared::{DeclaredTool, DeclaredTools, OwnTool, OwnWork, Reach, ToolServer};
use super::rules::{Pattern, ToolApproval};
use crate::core::diagnostic::Report;
use crate::core::key::is_id;
use crate::core::schema;
use crate::core::secret::SecretRef;
use crate::core::step::Command;
use crate::core::template::{FUNCTIONS, check_expr, usage_of_expr};
use crate::core::toml_reader::{Item, Table, TomlString, values};

/// The name of the arguments in the expression of a tool.
pub const ARGS: &str = "args";

/// Keys of a server, and of a tool of the author's own, for whoever writes one with the other.
const OF_SERVERS: [&str; 4] = ["command", "url", "headers", "sampling"];
const OF_OWN: [&str; 5] = ["description", "input", "argv", "expr", "workflow"];

/// Notes what is wrong with an element of an `argv` that names a file of the definition's folder, `@/FILE`.
pub type OwnFiles<'f> = &'f dyn Fn(&TomlString);

/// What `[tools]` declares. `files`: of a definition; a config has no files of its own.
#[must_use]
pub fn read(root: &Table<'_>, files: Option<OwnFiles<'_>>, report: &Report) -> DeclaredTools {
    let entries = root.get("tools").and_then(Item::table).map(|table| table.entries()).unwrap_or_default();
    let reader = Reader { files, report };
    entries.into_iter().filter_map(|item| Some((item.name().to_owned(), reader.tool(item)?))).collect()
}

/// Whether a `[tools.NAME]` declares a server.
#[must_use]
pub fn is_server(table: &Table<'_>) -> bool {
    table.has("command") || table.has("url")
}

struct Reader<'r> {
    files: Option<OwnFiles<'r>>,
    report: &'r Report,
}

impl Reader<'_> {
    fn tool(&self, item: Item<'_>) -> Option<DeclaredTool> {
        let (name, span) = (item.name().to_owned(), item.name_span());
        let table = item.table()?;
        let has = |keys: &[&str]| keys.iter().any(|key| table.has(key));
        let server = is_server(&table);
        if !server && !has(&OF_OWN) {
            table.error(format!(
                "`[tools.{name}]` is an MCP server, `command = [\"program\", \"argument\"]` or `url = \"https://…\"`, or a tool of \
                 your own, `description = \"…\"` with `argv` or `expr`"
            ));
            return None;
        }
        // The config of earlier versions took any name for a server.
        if !(is_id(&name) || server && self.files.is_none()) {
            let message = format!(
                "`{}` is no name of a tool; a name is a letter or `_`, then letters, digits, `_` or `-`",
                name.escape_debug()
            );
            self.report.error(&span, message);
        }
        if server { self.server(&table).map(DeclaredTool::Server) } else { self.own(&table).map(DeclaredTool::Own) }
    }

    fn server(&self, table: &Table<'_>) -> Option<ToolServer> {
        let (command, url) = (table.get("command"), table.get("url"));
        if let (Some(_), Some(url)) = (&command, &url) {
            url.error("a server is started (`command`) or runs already (`url`), not both");
        }
        let is_started = command.is_some();
        let reach = if is_started {
            let command = command.and_then(|item| item.argv()).map(values);
            let (env, cwd) = (Self::references(table, "env"), table.text("cwd"));
            command.map(|command| Reach::Program { command, env, cwd })
        } else {
            let headers = Self::references(table, "headers");
            url.and_then(|item| item.url()).map(|url| Reach::Http { url, headers })
        };
        let approve = table.get("approve").map(|item| self.approve(item)).unwrap_or_default();
        let idempotent = table.get("idempotent").and_then(|item| item.texts()).unwrap_or_default();
        for text in &idempotent {
            self.bare(text);
        }
        if let Some(item) = table.get("sampling").filter(|item| item.boolean() == Some(true)) {
            item.error("a server cannot ask a model yet: leave `sampling` out");
        }
        let server = |reach| ToolServer {
            reach,
            approve,
            idempotent: values(idempotent).into_iter().map(Pattern).collect(),
            timeout: table.time("timeout"),
            sampling: table.flag("sampling"),
        };
        let server = reach.map(server);
        table.done_with(|key| match key {
            "headers" => Some("`headers` go to a server that is reached by `url`; one that is started has `env`".into()),
            "env" | "cwd" => Some(format!("`{key}` is of a server that is started (`command`); by `url` it runs already")),
            _ if OF_OWN.contains(&key) => {
                let how = if is_started { "command" } else { "url" };
                Some(format!("`{key}` is of a tool of your own; `{how}` makes this one an MCP server, whose tools it lists itself"))
            }
            _ => None,
        });
        server
    }

    /// One word for every tool of a server, or a table of them by pattern.
    fn approve(&self, item: Item<'_>) -> Vec<(Pattern, ToolApproval)> {
        if item.is_text() {
            return item.one_of(&ToolApproval::WORDS).map(|word| (Pattern("*".to_owned()), word)).into_iter().collect();
        }
        if !item.is_table() {
            item.error("`approve` is a table of patterns over the names of its tools, `{ \"read_*\" = \"never\", \"*\" = \"always\" }`, or one word for all");
            return Vec::new();
        }
        let entries = item.table().map(|table| table.entries()).unwrap_or_default();
        let rule = |item: Item<'_>| {
            self.bare(&TomlString { value: item.name().to_owned(), span: item.name_span(), quoted: false });
            Some((Pattern(item.name().to_owned()), item.one_of(&ToolApproval::WORDS)?))
        };
        entries.into_iter().filter_map(rule).collect()
    }

    /// A pattern over the names of a server's own tools does not name the server.
    fn bare(&self, text: &TomlString) {
        if let Some((_, name)) = text.value.split_once('/') {
            let message = format!(
                "the tools of a server are named without it here: `{}`, not `{}`",
                name.escape_debug(),
                text.value.escape_debug()
            );
            self.report.error(&text.span, message);
        }
    }

    /// Values, or references to them.
    fn references(table: &Table<'_>, key: &str) -> BTreeMap<String, String> {
        table.named(key, |item| {
            let text = item.text()?.value;
            // A header may name its scheme before it.
            let reference = text.rsplit(' ').next().filter(|_| key == "headers").unwrap_or(&text);
            let is_one = ["env:", "cmd:"].iter().any(|kind| reference.starts_with(kind));
            if is_one && reference.parse::<SecretRef>().is_err() {
                item.error(format!("`{reference}` names nothing; write `env:NAME` (a variable) or `cmd:NAME` (a command of the config's `[secrets]`)"));
            }
            Some(text)
        })
    }

    fn own(&self, table: &Table<'_>) -> Option<OwnTool> {
        if let Some(item) = table.get("workflow") {
            item.error(
                "a workflow cannot be called as a tool yet; use `argv` or `expr`, or a step of `kind = \"workflow\"`",
            );
        }
        let description =
            table.required("description", "`description = \"What it does, and what it gives\"`, which models read");
        let description = description.and_then(|item| item.filled()).map(|text| text.value);
        let (argv, expr) = (table.get("argv"), table.get("expr"));
        match (&argv, &expr) {
            (Some(_), Some(expr)) => expr.error("a tool is a program (`argv`) or an expression (`expr`), not both"),
            (None, None) if !table.has("workflow") => {
                table.error("nothing says how it does its work; add `argv = [\"python3\", \"@/tool.py\"]` or `expr = \"EXPR over args\"`");
            }
            _ => {}
        }
        let does = match (argv, expr) {
            (Some(argv), _) => self.program(table, &argv),
            (None, Some(expr)) => self.expr(&expr).map(OwnWork::Expr),
            (None, None) => None,
        };
        let description = description.unwrap_or_default();
        let input = table.get("input").and_then(|item| self.input(&item));
        let approve = table.get("approve").and_then(|item| own_approval(&item)).unwrap_or_default();
        let idempotent = table.flag("idempotent");
        let timeout = if matches!(does, Some(OwnWork::Expr(_))) { None } else { table.time("timeout") };
        table.done_with(|key| match key {
            "env" | "cwd" => Some(format!("`{key}` is of a program (`argv`); an expression runs nowhere")),
            "timeout" => {
                Some("`timeout` is of a program (`argv`); an expression is limited as every expression is".into())
            }
            _ if OF_SERVERS.contains(&key) => {
                Some(format!("`{key}` is of an MCP server, which has `command` or `url`; this is a tool of your own"))
            }
            _ => None,
        });
        Some(OwnTool { description, input, does: does?, approve, idempotent, timeout })
    }

    fn program(&self, table: &Table<'_>, argv: &Item<'_>) -> Option<OwnWork> {
        let argv = argv.argv();
        for element in argv.iter().flatten() {
            if ["{{", "{%", "{#"].iter().any(|mark| element.value.contains(mark)) {
                let message =
                    "the `argv` of a tool is written out; what it is called with comes as one JSON object on its stdin";
                self.report.error(&element.span, message);
            } else if Command::file(&element.value).is_some() {
                match self.files {
                    Some(files) => files(element),
                    None => self.report.error(
                        &element.span,
                        "`@/` names a file of a definition's folder; in the config give the whole path",
                    ),
                }
            }
        }
        let (env, cwd) = (Self::references(table, "env"), table.text("cwd"));
        argv.map(|argv| OwnWork::Program { argv: values(argv), env, cwd, files: BTreeMap::new() })
    }

    /// An expression over `args`, and over nothing else: a tool knows nothing of the run that it is called in.
    fn expr(&self, item: &Item<'_>) -> Option<String> {
        let text = item.filled()?;
        let at = |offset: usize, message: String| {
            self.report.error_at(&text.span.source, text.offset_in_file(offset), message);
        };
        match check_expr(&text.value) {
            Err(error) => at(error.offset(&text.value), error.message.clone()),
            Ok(references) => {
                let known = |root: &str| root == ARGS || FUNCTIONS.contains(&root);
                for name in &references.0 {
                    let root = name.split('.').next().unwrap_or_default();
                    if !known(root) {
                        let message = format!(
                            "`{root}` is not known here: the expression of a tool sees what it is called with, `args`, and nothing else"
                        );
                        at(text.value.find(root).unwrap_or_default(), message);
                    }
                }
                let usage = usage_of_expr(&text.value, false).unwrap_or_default();
                for (offset, message) in usage.unknown() {
                    at(offset, message);
                }
            }
        }
        Some(text.value)
    }

    fn input(&self, item: &Item<'_>) -> Option<Value> {
        const SHAPE: &str =
            "`{ type = \"object\", properties = { path = { type = \"string\" } }, required = [\"path\"] }`";
        if !item.is_table() {
            item.error(format!("`input` is the JSON Schema of the arguments, {SHAPE}"));
            return None;
        }
        let input = item.json()?;
        let parts = item.parts();
        if let Some((span, message)) = schema::misplaced(&input, &parts) {
            self.report.error(span, message);
        } else if input.get("type").and_then(Value::as_str) != Some("object") {
            item.error(format!("`input` describes the arguments by their names, so it is an object: {SHAPE}"));
        }
        Some(input)
    }
}

fn own_approval(item: &Item<'_>) -> Option<ToolApproval> {
    if item.is_table() {
        item.error("patterns are for the tools of a server; this is one tool: `approve = \"never\"`");
        return None;
    }
    item.one_of(&ToolApproval::WORDS)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;

    use super::*;
    use crate::core::diagnostic::SourceText;
    use crate::core::step::Timespan;
    use crate::core::toml_reader;

    fn read_from(text: &str, files: Option<OwnFiles<'_>>) -> (DeclaredTools, Vec<String>) {
        let source = Arc::new(SourceText { name: "f".into(), text: text.into() });
        let report = Report::default();
        let tools = toml_reader::read(&source, &report, |root| {
            let tools = read(root, files, &report);
            root.done();
            tools
        });
        (tools.unwrap(), report.into_sorted().iter().map(ToString::to_string).collect())
    }

    fn declared(text: &str) -> DeclaredTools {
        let (tools, mistakes) = read_from(text, Some(&|_| ()));
        assert_eq!(mistakes, [""; 0], "{text}");
        tools
    }

    #[test]
    fn a_server_is_started_or_reached_and_its_tools_are_governed_by_patterns() {
        let tools = declared(
            r#"
            [tools.files]
            command = ["mcp-server-filesystem", "."]
            env = { TOKEN = "cmd:github" }
            cwd = "sub"
            approve = { "read_*" = "never", "read_secret" = "once", "*" = "always" }
            idempotent = ["read_*"]
            timeout = "30s"
            sampling = false
            [tools.web]
            url = "https://example.org/mcp/"
            headers = { Authorization = "env:TOKEN" }
            approve = "once"
            "#,
        );
        assert_eq!(tools.keys().collect::<Vec<_>>(), ["files", "web"]);
        let DeclaredTool::Server(files) = &tools["files"] else { panic!("{tools:?}") };
        let env = [("TOKEN".to_owned(), "cmd:github".to_owned())].into();
        let command = ["mcp-server-filesystem", "."].map(str::to_owned).to_vec();
        assert_eq!(files.reach, Reach::Program { command, env, cwd: Some("sub".to_owned()) });
        assert!(!files.sampling);
        let rules = |name| files.rules(name);
        assert_eq!((rules("read_file").approve, rules("read_file").idempotent), (ToolApproval::Never, true));
        assert_eq!((rules("read_secret").approve, rules("write").approve), (ToolApproval::Once, ToolApproval::Always));
        assert_eq!((rules("write").idempotent, rules("write").timeout), (false, Some(Timespan(30_000))));
        let DeclaredTool::Server(web) = &tools["web"] else { panic!("{tools:?}") };
        let headers = [("Authorization".to_owned(), "env:TOKEN".to_owned())].into();
        assert_eq!(web.reach, Reach::Http { url: "https://example.org/mcp".to_owned(), headers });
        assert_eq!((web.rules("any").approve, web.sampling), (ToolApproval::Once, false));
    }

    #[test]
    fn a_tool_of_one_s_own_is_a_program_or_an_expression() {
        let tools = declared(
            r#"
            [tools.price]
            description = "The price of a thing."
            input = { type = "object", properties = { of = { type = "string" } } }
            argv = ["python3", "@/price.py"]
            env = { KEY = "env:KEY" }
            approve = "never"
            idempotent = true
            timeout = "5s"
            [tools.add]
            description = "Adds."
            expr = "[args.a, args.b] | sum"
            "#,
        );
        let DeclaredTool::Own(price) = &tools["price"] else { panic!("{tools:?}") };
        assert_eq!(price.rules().approve, ToolApproval::Never);
        assert_eq!((price.idempotent, price.timeout), (true, Some(Timespan(5_000))));
        assert_eq!(price.input, Some(json!({"type": "object", "properties": {"of": {"type": "string"}}})));
        let OwnWork::Program { argv, env, .. } = &price.does else { panic!("{price:?}") };
        assert_eq!((argv[1].as_str(), env["KEY"].as_str()), ("@/price.py", "env:KEY"));
        let DeclaredTool::Own(add) = &tools["add"] else { panic!("{tools:?}") };
        assert_eq!(add.does, OwnWork::Expr("[args.a, args.b] | sum".to_owned()));
        assert_eq!(add.rules().approve, ToolApproval::Always, "what nothing is said of is asked about");
    }

    #[test]
    fn every_mistake_has_its_place_and_what_would_be_right() {
        for (text, wanted) in [
            ("[tools.x]\n", "f:1:1: `[tools.x]` is an MCP server"),
            ("[tools.x]\ncommand = []\n", "f:2:11: `command` names no program"),
            ("[tools.x]\nurl = \"example.org\"\n", "f:2:7: `url` begins with http:// or https://"),
            (
                "[tools.x]\ncommand = [\"a\"]\nurl = \"http://a\"\n",
                "f:3:7: a server is started (`command`) or runs already",
            ),
            (
                "[tools.x]\ncommand = [\"a\"]\nheaders = {}\n",
                "f:3:1: `headers` go to a server that is reached by `url`",
            ),
            ("[tools.x]\ncommand = [\"a\"]\nsampling = true\n", "f:3:12: a server cannot ask a model yet"),
            ("[tools.x]\nurl = \"http://a\"\nenv = {}\n", "f:3:1: `env` is of a server that is started"),
            ("[tools.x]\ncommand = [\"a\"]\nenv = { A = \"env:\" }\n", "f:3:13: `env:` names nothing"),
            ("[tools.x]\nurl = \"http://a\"\nheaders = { A = \"Bearer env:\" }\n", "f:3:17: `env:` names nothing"),
            ("[tools.x]\ndescription = \"d\"\nexpr = \"1\"\ntimeout = \"5s\"\n", "f:4:1: `timeout` is of a program"),
            ("[tools.x]\ncommand = [\"a\"]\ntimout = \"1s\"\n", "f:3:1: unknown key `timout`; did you mean `timeout`?"),
            ("[tools.x]\ncommand = [\"a\"]\nargv = [\"a\"]\n", "f:3:1: `argv` is of a tool of your own"),
            (
                "[tools.x]\ncommand = [\"a\"]\napprove = { a = \"neve\" }\n",
                "f:3:17: `a` is one of \"always\", \"once\", \"never\"",
            ),
            ("[tools.x]\ncommand = [\"a\"]\napprove = true\n", "f:3:11: `approve` is a table of patterns"),
            (
                "[tools.x]\ncommand = [\"a\"]\napprove = { \"x/a\" = \"never\" }\n",
                "f:3:13: the tools of a server are named without it here: `a`",
            ),
            (
                "[tools.x]\ncommand = [\"a\"]\nidempotent = [\"x/*\"]\n",
                "f:3:15: the tools of a server are named without it here: `*`",
            ),
            ("[tools.x]\ncommand = [\"a\"]\nidempotent = true\n", "f:3:14: `idempotent` must be a list"),
            ("[tools.x]\nargv = [\"a\"]\n", "f:1:1: `description` is missing"),
            ("[tools.x]\ndescription = \"d\"\n", "f:1:1: nothing says how it does its work"),
            (
                "[tools.x]\ndescription = \"d\"\nargv = [\"a\"]\nexpr = \"1\"\n",
                "f:4:8: a tool is a program (`argv`) or an expression (`expr`), not both",
            ),
            ("[tools.x]\ndescription = \"d\"\nworkflow = \"w\"\n", "f:3:12: a workflow cannot be called as a tool yet"),
            ("[tools.x]\ndescription = \"d\"\nexpr = \"args.a +\"\n", "f:3:"),
            ("[tools.x]\ndescription = \"d\"\nexpr = \"inputs.a\"\n", "f:3:9: `inputs` is not known here"),
            (
                "[tools.x]\ndescription = \"d\"\nexpr = \"args.a | uper\"\n",
                "f:3:18: there is no filter `uper`; did you mean `upper`?",
            ),
            ("[tools.x]\ndescription = \"d\"\nexpr = \"1\"\nenv = {}\n", "f:4:1: `env` is of a program (`argv`)"),
            (
                "[tools.x]\ndescription = \"d\"\nargv = [\"a\", \"{{ args.x }}\"]\n",
                "f:3:14: the `argv` of a tool is written out",
            ),
            (
                "[tools.x]\ndescription = \"d\"\nargv = [\"a\"]\ninput = { type = \"objekt\" }\n",
                "f:4:18: `objekt` is no type of a JSON Schema; did you mean `object`?",
            ),
            (
                "[tools.x]\ndescription = \"d\"\nargv = [\"a\"]\ninput = { type = \"string\" }\n",
                "f:4:9: `input` describes the arguments by their names",
            ),
            ("[tools.x]\ndescription = \"d\"\nargv = [\"a\"]\ninput = true\n", "f:4:9: `input` is the JSON Schema"),
            (
                "[tools.x]\ndescription = \"d\"\nargv = [\"a\"]\napprove = { a = \"never\" }\n",
                "f:4:11: patterns are for the tools of a server",
            ),
            ("[tools.\"a b\"]\ncommand = [\"a\"]\n", "f:1:8: `a b` is no name of a tool"),
            ("tools = 3\n", "f:1:9: `tools` must be a table"),
        ] {
            let (_, mistakes) = read_from(text, Some(&|_| ()));
            assert!(mistakes.len() == 1 && mistakes[0].starts_with(wanted), "{text}{mistakes:#?}");
        }
    }

    #[test]
    fn a_config_has_no_files_of_its_own_and_keeps_the_names_that_earlier_versions_took() {
        let (tools, mistakes) = read_from("[tools.\"my files\"]\ncommand = [\"a\"]\n", None);
        assert_eq!((tools.len(), mistakes), (1, Vec::new()));
        let (_, mistakes) = read_from("[tools.x]\ndescription = \"d\"\nargv = [\"@/x\"]\n", None);
        assert_eq!(mistakes, ["f:3:9: `@/` names a file of a definition's folder; in the config give the whole path"]);
    }
}
