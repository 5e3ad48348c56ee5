//! `doctor`, `models`, `paths`: what answers and why, what is missing, where everything lies.

use std::time::Instant;

use super::out::Put as _;
use super::problem::{Exit, Problem};
use super::trial::answers;
use super::{App, Tools, args, out, tools};
use crate::core::model::{Inspected, ModelChoice};
use crate::core::ports::{InspectedServer, Models};
use crate::core::step::Does;
use crate::core::task::{Body, FlowKind};
use crate::core::text::counted;
use crate::core::tool::DeclaredTool;

/// `paths`.
#[must_use]
pub fn paths(app: &App) -> Exit {
    let paths = &app.paths;
    let lines = [
        ("config", &paths.config_file),
        ("tasks", &paths.tasks),
        ("workflows", &paths.workflows),
        ("store", &paths.store),
        ("state", &paths.state),
    ];
    let mut text = String::new();
    for (name, path) in lines {
        text.put(format_args!("{name:<10} {}\n", path.display()));
    }
    out::page(&text);
    Exit::Done
}

/// `models`.
///
/// # Errors
/// When the config is not valid.
pub async fn models(app: &App) -> Result<Exit, Problem> {
    let models = app.models()?;
    models.probe().await;
    let mut text = String::new();
    let choices = models.choices();
    for (at, choice) in choices.iter().enumerate() {
        // The demo that answers stands in the list by its own name, too.
        if choices[..at].iter().any(|before| before.model == choice.model) {
            continue;
        }
        let mark = if at == 0 { "answers" } else { "" };
        text.put(format_args!("{mark:<8} {:<34} {}\n", choice.model, described(choice)));
    }
    for (name, role) in &app.settings()?.models {
        let fallback =
            if role.fallback.is_empty() { String::new() } else { format!(", then {}", role.fallback.join(", ")) };
        text.put(format_args!("role     {name} = {}{fallback}\n", role.model));
    }
    for (name, provider) in &app.settings()?.providers {
        let place = provider.base_url.as_deref().unwrap_or("its usual address");
        text.put(format_args!("provider {name}: {} at {place}\n", provider.kind.name()));
    }
    out::page(&text);
    Ok(Exit::Done)
}

fn described(choice: &ModelChoice) -> String {
    let mut text = choice.why.clone();
    if choice.demo {
        text.push_str(
            "; it replays recorded answers for the shipped tasks and makes up the shape of others: no model thinks",
        );
    }
    if choice.ask_first {
        text.push_str("; it was found, not configured, so you are asked before the first call");
    }
    text
}

/// `doctor`.
///
/// # Errors
/// When the store cannot be used.
pub async fn doctor(app: &App, rebuild: bool, try_models: bool) -> Result<Exit, Problem> {
    if rebuild {
        out::line(&app.dependencies.rebuild()?);
        return Ok(Exit::Done);
    }
    let mut exit = Exit::Done;
    let mut text = String::new();
    match app.settings() {
        Ok(_) if app.paths.config_file.exists() => {
            text.put(format_args!("config   {} is valid\n", app.paths.config_file.display()));
        }
        Ok(_) => text.put(format_args!("config   none at {}; none is needed\n", app.paths.config_file.display())),
        Err(problem) => {
            exit = problem.exit;
            text.put(format_args!("config   {problem}\n"));
        }
    }
    if let Ok(models) = app.models() {
        models.probe().await;
        match models.choice(None) {
            Ok(choice) => {
                text.put(format_args!("model    {} would answer: {}\n", choice.model, described(&choice)));
                if choice.demo {
                    text.push_str(
                        "         for a real one set ANTHROPIC_API_KEY or OPENAI_API_KEY, start Ollama, or write into the config:\n\
                         \n           [models]\n           default = \"PROVIDER/MODEL\"\n\n",
                    );
                }
                if choice.ask_first {
                    text.put(format_args!(
                        "         to settle it, write into the config:\n\n{}\n\n",
                        choice.config_lines
                    ));
                }
            }
            Err(failure) => {
                exit = Exit::Invalid;
                text.put(format_args!("model    {}\n", failure.message));
            }
        }
    }
    if let Ok(models) = app.models() {
        for Inspected { provider, answers, says } in models.inspect().await {
            let mark = if answers { "server" } else { "missing" };
            text.put(format_args!("{mark:<8} {provider}: {says}\n"));
        }
        if try_models {
            text.push_str(&tried(app, &**models).await?);
        }
    }
    if let Ok(tools) = app.tools() {
        text.push_str(&servers(app, tools).await?);
    }
    if let Ok(settings) = app.settings() {
        for (name, provider) in &settings.providers {
            if let Some(variable) = provider.api_key_env.as_deref().filter(|name| std::env::var_os(name).is_none()) {
                text.put(format_args!("missing  {variable} is not set: the provider `{name}` has no key\n"));
            }
        }
        let keys =
            settings.providers.iter().filter_map(|(name, provider)| Some((name, provider.api_key_command.as_ref()?)));
        for (name, argv) in settings.secrets.iter().chain(keys) {
            if let Some(program) = argv.first().filter(|program| !is_there(program)) {
                text.put(format_args!("missing  the program `{program}` of `{name}` is not there\n"));
            }
        }
    }
    text.push_str(&commands(app)?);
    match app.dependencies.look_at_store() {
        Ok(state) => text.put(format_args!("store    {}: {state}\n", app.paths.store.display())),
        Err(why) => {
            exit = Exit::Store;
            text.put(format_args!("store    {why}\n"));
        }
    }
    out::page(&text);
    Ok(exit)
}

/// Which servers of tools answer.
async fn servers(app: &App, tools: &Tools) -> Result<String, Problem> {
    let declared = &app.settings()?.tools;
    let inspected = tools::unless_interrupted(app, tools.servers.inspect(tools::here())).await?;
    let mut text = String::new();
    for InspectedServer { server, tools, notes } in inspected {
        let Some(DeclaredTool::Server(how)) = declared.get(&server) else { continue };
        let how = tools::reached(&how.reach);
        match tools {
            Ok(tools) => {
                text.put(format_args!("tools    {server} answers: {} ({how})\n", counted(tools.len(), "tool")));
            }
            Err(failure) => text.put(format_args!("missing  {}\n", tools::failed(&failure))),
        }
        for note in notes {
            text.put(format_args!("         {note}\n"));
        }
    }
    Ok(text)
}

/// What every role's models, the fallbacks too, say when they are asked for a word.
async fn tried(app: &App, models: &dyn Models) -> Result<String, Problem> {
    let roles = &app.settings()?.models;
    let mut names: Vec<&String> =
        roles.values().flat_map(|role| std::iter::once(&role.model).chain(&role.fallback)).collect();
    names.retain(|name| !roles.contains_key(*name));
    names.sort_unstable();
    names.dedup();
    let mut text = String::new();
    for name in names {
        let begun = Instant::now();
        match answers(models, name).await {
            Ok(()) => text.put(format_args!("tried    {name} answered within {} ms\n", begun.elapsed().as_millis())),
            Err(why) => text.put(format_args!("missing  {name} did not answer: {why}\n")),
        }
    }
    Ok(text)
}

/// Definitions with mistakes, and programs that a definition runs and that are not there.
fn commands(app: &App) -> Result<String, Problem> {
    let catalog = app.catalog(&args::DirArg::default())?;
    let mut text = String::new();
    for entry in &catalog.entries {
        let mistakes = catalog.check(entry);
        if !mistakes.is_empty() {
            text.put(format_args!(
                "missing  `{}` has {}: stepwell check\n",
                entry.id,
                counted(mistakes.len(), "mistake")
            ));
        }
        let Ok(task) = &entry.task else { continue };
        let Body::Workflow(workflow) = &task.body else { continue };
        let mut programs: Vec<&str> = workflow
            .all_steps()
            .into_iter()
            .filter_map(|step| match &step.does {
                // What a shell finds behind its own words is for it to say.
                Does::Command(command) if command.shell => Some("sh"),
                Does::Command(command) => command.argv.first().map(String::as_str),
                _ => None,
            })
            .collect();
        if let FlowKind::Process { argv, .. } = &workflow.flow {
            programs.extend(argv.first().map(String::as_str));
        }
        programs.sort_unstable();
        programs.dedup();
        // What comes with the definition is looked for by `check`.
        let elsewhere = |program: &&str| !program.contains("{{") && !program.starts_with("@/");
        for program in programs.into_iter().filter(elsewhere).filter(|program| !is_there(program)) {
            text.put(format_args!("missing  `{}` runs `{program}`, which is not there\n", entry.id));
        }
    }
    Ok(text)
}

fn is_there(program: &str) -> bool {
    if program.contains('/') {
        return std::path::Path::new(program).exists();
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}
