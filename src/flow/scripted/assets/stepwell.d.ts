// What a Stepwell script can use. Put this beside `main.js`; for completion and checks begin the script with
//
//   // @ts-check
//   /** @param {import("./stepwell").Run} run @param {Record<string, any>} inputs */
//   export default async function (run, inputs) { … }
//
// A script is run from its beginning whenever something that it was told has changed, with all results so far. It has
// no file, network, clock or randomness of its own: `Date` and `Math.random` give what the journal holds.

/** What names a call. */
export interface Named {
  /** The call's name in the journal, in the place of the n-th of its step: `intro`, `files[2].score`. */
  key?: string;
}

/** What governs a call that is made up in the script. */
export interface Governed extends Named {
  /** The JSON Schema of the output; without it the output is text. */
  output?: object;
  /** Expressions over `output` that must hold, and what each says when it does not. */
  checks?: { expr: string; says: string }[];
  /** When a person judges the output. Prompts: `always`; the rest: `never`. */
  review?: "always" | "failed" | "never";
  /** When a person is asked before an effect. Commands, tools and requests that change something: `always`. */
  approve?: "always" | "once" | "never";
  /** What that person reads above what runs, in one line. */
  approve_title?: string;
  /** And what more. */
  approve_message?: string;
  /** What becomes of an attempt whose end nobody saw. */
  on_crash?: "rerun" | "ask" | "fail";
  /** Doing it twice is as doing it once. */
  idempotent?: boolean;
  /** The time for one attempt, such as `"2m"`. */
  timeout?: string;
  /** Takes an accepted result of an earlier run that is no older than this, such as `"1d"`. */
  cache?: string;
  /** Higher first when a limit makes calls wait. */
  priority?: number;
}

/** How a model is asked. */
export interface PromptOptions extends Governed {
  /** The system message. */
  system?: string;
  /** A role of the config, or `PROVIDER/MODEL`. */
  model?: string;
  /** What to ask when that one fails. */
  fallback?: string[];
  /** How freely it chooses its words; 0 is not at all. */
  temperature?: number;
  /** The longest answer, in tokens. */
  max_tokens?: number;
  /** What comes of an answer that the limit of tokens cut: a person judges it, the model continues it, it counts as whole, or it
   * fails (class `too_long`). Absent: `ask` where the answer is reviewed, else `fail`. */
  on_cut?: "ask" | "continue" | "accept" | "fail";
  top_p?: number;
  stop?: string[];
  reasoning_effort?: string;
  /** Whether it thinks, for how many tokens, or what is sent as it is. */
  thinking?: boolean | number | Record<string, unknown>;
  /** What else goes into the body of the request. */
  extra_body?: Record<string, unknown>;
  /** The tools that the model may call before it answers, by names and patterns: `"price"`, `"files/*"`. */
  tools?: string[];
  /** How many turns it may take then; 20 where it is absent. */
  max_turns?: number;
  /** Makes answers repeatable where the provider can. */
  seed?: number;
}

/** How a program is run. */
export interface CommandOptions extends Governed {
  /** Where; the folder in which the run was started when absent. */
  cwd?: string;
  /** What is added to its clean environment. */
  env?: Record<string, string>;
  /** What it reads. */
  stdin?: string;
  /** How its stdout is read. */
  parse?: "text" | "json" | "lines";
}

/** A request over HTTP. */
export interface Request {
  /** `GET` when absent. */
  method?: string;
  /** Where to. */
  url: string;
  /** Sent with it. A secret input may be put in. */
  headers?: Record<string, string>;
  /** A JSON body. */
  json?: unknown;
  /** A text body. */
  body?: string;
  /** How the answer is read; by its content type when absent. */
  expect?: "json" | "text" | "page";
}

/** One field of a form, as in `[[steps.fields]]`. */
export interface Field {
  /** Its name in what the person filled in. */
  name: string;
  /** What the person reads beside it. */
  label?: string;
  /** `text` when absent. */
  type?: "text" | "multiline" | "integer" | "number" | "boolean" | "choice" | "choices" | "date" | "json";
  /** Whether it must be filled in. */
  required?: boolean;
  /** What stands in it at first. */
  default?: unknown;
  /** Shown in the empty field. */
  placeholder?: string;
  /** Shown below it. */
  help?: string;
  /** What a `choice` or `choices` offers. */
  choices?: string[];
  /** The smallest number, or the fewest characters. */
  min?: number;
  /** The largest number, or the most characters. */
  max?: number;
  /** A regular expression that must match all of a text. */
  pattern?: string;
  /** The JSON Schema of a `json` value. */
  schema?: object;
}

/** A result or a document. */
export interface Document {
  /** One line. */
  title: string;
  /** Markdown, as a rule. */
  body: string;
}

/** What a call that has no output rejects with. */
export interface CallFailed extends Error {
  /** Tells it from other errors. */
  name: "CallFailed";
  /** What happened, for a person. `message` has the key and the class before it. */
  reason: string;
  /** The kind of failure. */
  class:
    | "auth" | "rate_limit" | "server" | "network" | "timeout" | "bad_request"
    | "bad_output" | "refused" | "too_long" | "command" | "definition" | "denied" | "tool" | "turns";
  /** The call's name. */
  key: string;
}

/**
 * The run. Every call is journaled: what was accepted once is never asked or paid for again, a review waits for a person
 * for as long as it takes, and an edit of an early result makes exactly the calls stale that used it.
 */
export interface Run {
  /** The run's id. */
  readonly id: string;
  /** The task's id. */
  readonly task: string;
  /** What the person calls it. */
  readonly title: string;
  /** Who started it, `user@host`. */
  readonly by: string;
  /** The day on which it was started, `YYYY-MM-DD`. */
  readonly date: string;

  /**
   * Performs a step that workflow.toml declares, with `vars` as names in its templates. The n-th call of a step is
   * `id[n]`, from 0. A call that the person skipped gives `null`.
   */
  step(id: string, vars?: Record<string, unknown>, options?: Named): Promise<any>;
  /** Asks a model. The text is no template: nothing in it is put in. */
  prompt(text: string, options?: PromptOptions): Promise<any>;
  /** Runs a program, its arguments one element each, once a person has allowed it. */
  command(argv: string[], options?: CommandOptions): Promise<any>;
  /** Sends a request. What can change something waits for a person. */
  http(request: Request, options?: Governed): Promise<any>;
  /** Calls a tool: `server/name` of an MCP server, or one that the definition declares. */
  tool(name: string, args?: object, options?: Governed): Promise<any>;
  /** Asks the person; gives an object of what they filled in. */
  ask(fields: Field[], options?: Named & { /** Shown above the form. */ text?: string }): Promise<any>;
  /** Shows a value to the person, who accepts or edits it; gives what was accepted. */
  review<T>(name: string, value: T, options?: Named): Promise<T>;
  /** Runs another workflow as a part of this run. Some declared step must name it, so that it is kept with the run. */
  workflow(id: string, inputs?: object, options?: Named): Promise<Document>;

  /** Writes a document beside the result; another text of the same name is its next version. */
  document(name: string, document: Document): void;
  /** A line in the run's log, as `console.log`. */
  log(...parts: unknown[]): void;
  /** Milliseconds since 1970. Time stands still between two results, and is the same when the run is taken up again. */
  now(): number;
  /** A number from 0 to 1, the same when the run is taken up again. As `Math.random`. */
  random(): number;
  /** A random UUID, the same when the run is taken up again. */
  uuid(): string;
  /** What earlier runs of the session left; what it holds when the run completes is left for later ones. */
  state: Record<string, any>;
}

/** The function that `main.js` exports: text or a document is the run's result. */
export type Main = (run: Run, inputs: Record<string, any>) => Promise<string | Document>;
