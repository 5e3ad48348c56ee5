/**
 * What git says, read: the lists that it writes with `-z`, and a diff as its files.
 *
 * Names come as git has them. Nothing here decides what is reviewed.
 */

/** The fields of a list written with `-z`. */
function fields(text) {
  return text.split("\0").filter((field) => field !== "");
}

const NO_COUNT = "-";

/**
 * The files of `git diff --raw --numstat -z`: `{path, from, status, modes, ids, unmerged, lines, binary}`, in git's
 * order; `lines` are how many it adds and removes.
 * Throws where the list is not whole: a command's output is cut when it is longer than 1 MB.
 */
export function changedFiles(text) {
  const files = new Map();
  const rest = fields(text);
  let counted = 0;
  for (let at = 0; at < rest.length; ) {
    const field = rest[at++];
    // A path that begins with a colon or with digits is read with the field that names it, never here.
    const raw = /^:+(\d+) (\d+) (\S+) (\S+) ([A-Z])\d*$/.exec(field);
    if (raw) {
      const [, before, after, was, is, status] = raw;
      const from = status === "R" || status === "C" ? rest[at++] : null;
      const path = rest[at++];
      const known = files.get(path);
      const unmerged = status === "U" || known?.unmerged === true;
      const [modes, ids] = [[before, after], [was, is]];
      files.set(path, { path, from, status, modes, ids, unmerged, lines: [0, 0], binary: false, untracked: false });
      continue;
    }
    const [added, removed, ...name] = field.split("\t");
    // Of a renamed file the two names follow in fields of their own.
    const plain = name.join("\t");
    const path = plain === "" ? rest[at + 1] : plain;
    at += plain === "" ? 2 : 0;
    const file = files.get(path);
    if (!file) continue;
    file.binary = added === NO_COUNT;
    file.lines = file.binary ? [0, 0] : [Number(added), Number(removed)];
    file.counted = true;
    counted += 1;
  }
  const list = [...files.values()];
  if (list.some((file) => !file.counted)) {
    throw new Error(`the change has too many files to be listed at once (more than ${counted}): name some in \`paths\``);
  }
  return list;
}

/** The most entries that are parsed at once; nobody would have more reviewed. */
const MOST_NEW = 20_000;

/**
 * Of `git status --porcelain=v1 -z`, and `end` after it: the files that git does not know, and the paths of those with
 * conflicts. Throws where the list is not whole.
 */
export function statusOf(text) {
  const rest = fields(text);
  if (rest.pop() !== "end" || rest.length > MOST_NEW) {
    throw new Error("there are too many files that git does not know to be listed at once: name some in `paths`, or have git ignore them");
  }
  const entries = rest.map((entry) => [entry.slice(0, 2), entry.slice(3)]);
  const modes = ["000000", "100644"];
  const made = { from: null, status: "A", modes, ids: ["", ""], unmerged: false, lines: [0, 0], binary: false };
  const unknown = entries.filter(([status]) => status === "??");
  const conflicts = entries.filter(([status]) => status.includes("U") || status === "AA" || status === "DD");
  return {
    untracked: unknown.map(([, path]) => ({ path, ...made, untracked: true })),
    conflicts: new Set(conflicts.map(([, path]) => path)),
  };
}

/** What `git check-attr -z` says: for each path the attributes that are set, and those that are unset. */
export function attributes(text) {
  // The value may be empty, so the last field is kept.
  const all = text.split("\0");
  const found = new Map();
  for (let at = 0; at + 2 < all.length; at += 3) {
    const [path, name, value] = [all[at], all[at + 1], all[at + 2]];
    if (value === "unspecified") continue;
    const known = found.get(path) ?? {};
    known[name] = value !== "unset" && value !== "false";
    found.set(path, known);
  }
  return found;
}

const ESCAPES = { "\x07": "a", "\b": "b", "\t": "t", "\n": "n", "\v": "v", "\f": "f", "\r": "r", '"': '"', "\\": "\\" };

/** A name as a diff writes it: in quotes where it has signs that would break a line. */
function quoted(name) {
  if (!/["\\\x00-\x1f\x7f]/.test(name)) return name;
  const sign = (c) => "\\" + (ESCAPES[c] ?? c.charCodeAt(0).toString(8).padStart(3, "0"));
  return `"${name.replace(/["\\\x00-\x1f\x7f]/g, sign)}"`;
}

/** The diff of each file, by its path. What is not in `files` is left out. */
export function diffsOf(text, files) {
  const headers = new Map();
  for (const file of files) {
    headers.set(`${quoted(`a/${file.from ?? file.path}`)} ${quoted(`b/${file.path}`)}`, file.path);
    // A file with conflicts has one name.
    headers.set(quoted(file.path), file.path);
  }
  const diffs = new Map();
  // No line of a file begins so: each has a sign before it.
  const BEGIN = "\ndiff --";
  const all = `\n${text}`;
  for (let at = all.indexOf(BEGIN); at >= 0; ) {
    const next = all.indexOf(BEGIN, at + 1);
    const piece = all.slice(at + BEGIN.length, next < 0 ? undefined : next);
    at = next;
    const end = piece.indexOf("\n");
    const header = end < 0 ? piece : piece.slice(0, end);
    // `git a/x b/x`, or `cc x` and `combined x` where there are conflicts.
    const path = headers.get(header.slice(header.indexOf(" ") + 1));
    if (path !== undefined) diffs.set(path, end < 0 ? "" : piece.slice(end + 1));
  }
  return diffs;
}

/**
 * The options that turn off what a repository's own configuration has git run on the files that it reads. `filters` are
 * lines of `git config --show-scope --name-only`; those of the person, and of the machine, stay.
 */
export function withoutFilters(filters) {
  const keys = filters.map((line) => line.split("\t")).filter(([scope]) => scope === "local" || scope === "worktree");
  const names = new Set(keys.map(([, key]) => key.slice(0, key.lastIndexOf("."))));
  return [...names].flatMap((name) => {
    // `-c` ends a key at the first sign of this kind, so this one could not be turned off.
    if (name.includes("=")) throw new Error(`the repository configures \`${name}\`, which cannot be turned off: remove it, or call it something without \`=\``);
    return ["clean=", "smudge=", "process=", "required=false"].flatMap((setting) => ["-c", `${name}.${setting}`]);
  });
}

/** The lines of a text, one after the other: a long one is not taken apart where its beginning is enough. */
export function* linesOf(text) {
  for (let at = 0; at <= text.length; ) {
    const end = text.indexOf("\n", at);
    yield end < 0 ? text.slice(at) : text.slice(at, end);
    at = end < 0 ? text.length + 1 : end + 1;
  }
}

const PIECE = /"((?:[^"\\]|\\.)*)"|'([^']*)'|\\(.)|([^\s"'\\]+)/gs;
const WORD = new RegExp(`(?:${PIECE.source})+`, "gs");

/** The paths that a person named, split as a shell splits words. Throws where a quote has no end. */
export function words(text) {
  const all = text ?? "";
  if (/\S/.test(all.replace(WORD, ""))) {
    throw new Error('a quote or backslash in `paths` has no end: put a name that has one in quotes, as in "it\'s.rs"');
  }
  const plain = (piece, double, single, escaped, bare) => double?.replace(/\\(["\\$`])/g, "$1") ?? single ?? escaped ?? bare;
  return (all.match(WORD) ?? []).map((word) => word.replace(PIECE, plain)).filter((word) => word !== "");
}
