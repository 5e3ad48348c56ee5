/**
 * What was reviewed and what was not, in words: for the prompts, for the list of what is reviewed and for the result.
 */
import { matters } from "./kinds.js";

const VERDICTS = {
  approve: "Approve",
  approve_after_small_changes: "Approve after small changes",
  request_changes: "Request changes",
  incomplete: "Incomplete",
};

/** From the best to the worst. */
const OF_A_FILE = ["approve", "comment", "request_changes"];

/** `3 files`, `1 file`. */
export function plural(count, what) {
  return `${count} ${what}${count === 1 ? "" : "s"}`;
}

const isAre = (count) => (count === 1 ? "is" : "are");

/** A list of names as far as a prompt has room for it. */
function some(names, most) {
  const shown = names.slice(0, most).join(", ");
  return names.length > most ? `${shown} and ${names.length - most} more` : shown;
}

export class Review {
  constructor(files) {
    this.total = files.length;
    /** How many files are reviewed. */
    this.chosen = 0;
    /** Files without a text to review, `{path, what}`: deleted, renamed, binary. */
    this.noted = [];
    /** What nobody reviews, `{path, why, matters}`; `part` where the rest of the file is reviewed. */
    this.left = [];
    /** The files that were reviewed: `{file, verdict, summary, findings}`. */
    this.files = [];
  }

  note(file, what) {
    this.noted.push({ path: file.path, what });
  }

  /** `why` continues a sentence that begins with the file. Of what a program wrote nobody has to read a line. */
  leaveOut(file, why, { part = null, generated = false } = {}) {
    this.left.push({ path: file.path, part, why, matters: !generated && matters(file.kind) });
  }

  /** What came of the parts of a file: for each an answer, or why there is none. */
  add(file, answers) {
    const given = answers.filter((answer) => answer.verdict !== undefined);
    answers.forEach((answer, at) => {
      if (answer.verdict !== undefined) return;
      const part = given.length === 0 ? null : `part ${at + 1} of ${answers.length}`;
      // A file is named once when none of its parts was reviewed.
      if (part !== null || at === 0) this.leaveOut(file, answer.why, { part });
    });
    if (given.length === 0) {
      this.chosen -= 1;
      return;
    }
    const worst = Math.max(...given.map((answer) => OF_A_FILE.indexOf(answer.verdict)));
    this.files.push({
      file: file.path,
      verdict: OF_A_FILE[worst],
      summary: given.map((answer) => answer.summary.trim()).join(" "),
      findings: given.flatMap((answer) => answer.findings),
    });
  }

  /** How many of how many, as a sentence about the change. */
  counted() {
    const whole = new Set(this.left.filter((left) => left.part === null).map((left) => left.path)).size;
    const pieces = [
      `${this.chosen} ${isAre(this.chosen)} reviewed`,
      ...(whole > 0 ? [`${whole} ${isAre(whole)} not`] : []),
      ...(this.noted.length > 0 ? [`${this.noted.length} ${this.noted.length === 1 ? "has" : "have"} no text to review`] : []),
    ];
    return `${plural(this.total, "file")}: ${pieces.join(", ")}.`;
  }

  /** What is shown to no reviewer, for the prompt of one. */
  hidden() {
    return some([...this.left.map(named), ...this.noted.map(({ path, what }) => `${path} (${what})`)], 40);
  }

  /** Each reason with the files that it is the reason for; `most` of them are named. */
  reasons(most = Infinity) {
    const reasons = new Map();
    for (const left of this.left) {
      if (!reasons.has(left.why)) reasons.set(left.why, []);
      reasons.get(left.why).push(`\`${named(left)}\``);
    }
    return [...reasons].map(([why, names]) => `${some(names, most)}, because ${names.length === 1 ? "it" : "each"} ${why}`);
  }

  unreadSources() {
    return this.left.filter((left) => left.matters).length;
  }

  blockers() {
    return this.files.flatMap((file) => file.findings).filter((finding) => finding.severity === "blocker").length;
  }

  /** The result. `report` is `null` where there was nothing to report on, or the person left it out. */
  body(report) {
    const verdict = VERDICTS[report?.verdict ?? (this.unreadSources() > 0 ? "incomplete" : "")];
    const sections = [
      verdict === undefined ? "" : `**${verdict}.**`,
      report?.report.trim() ?? (this.files.length > 0 ? "The report was skipped." : "Nothing of it was reviewed."),
      `*${this.counted()}*`,
    ];
    if (this.files.length > 0) sections.push("## File by file", ...this.files.map(ofFile));
    if (this.left.length > 0) sections.push(`## Not reviewed\n\n${bullets(this.reasons().map((line) => `Not reviewed: ${line}.`))}`);
    const noted = this.noted.map(({ path, what }) => `\`${path}\`: ${what}`);
    if (noted.length > 0) sections.push(`## Without a text to review\n\n${bullets(noted)}`);
    return sections.filter((section) => section !== "").join("\n\n");
  }
}

function named({ path, part }) {
  return part === null ? path : `${path}, ${part}`;
}

function bullets(lines) {
  return lines.map((line) => `- ${line}`).join("\n");
}

function ofFile({ file, verdict, summary, findings }) {
  const lines = findings.map(({ severity, line, problem, suggestion }) => {
    const place = line > 0 ? `, line ${line}` : "";
    return `**${severity}**${place}: ${problem.trim()}${suggestion.trim() ? ` *${suggestion.trim()}*` : ""}`;
  });
  return [`### ${file}: ${verdict.replace("_", " ")}`, summary, bullets(lines)].filter((piece) => piece !== "").join("\n\n");
}
