/**
 * What kind of file a path names, and so when it is read: source before tests, tests before configuration, that before
 * documents and data. What a program wrote is not read at all.
 */

import { linesOf } from "./git.js";

/** The kinds that are read, in that order. Of the first three none may be left out of an approval. */
export const KINDS = ["source", "test", "configuration", "document", "data"];

/** Whether nothing is approved while a file of this kind was not read. */
export function matters(kind) {
  return KINDS.indexOf(kind) < KINDS.indexOf("document");
}

const LOCKS = new Set([
  "cargo.lock", "package-lock.json", "npm-shrinkwrap.json", "yarn.lock", "pnpm-lock.yaml", "bun.lock", "bun.lockb",
  "composer.lock", "gemfile.lock", "poetry.lock", "pdm.lock", "uv.lock", "pipfile.lock", "go.sum", "go.work.sum",
  "flake.lock", "mix.lock", "pubspec.lock", "podfile.lock", "package.resolved", "packages.lock.json",
  "gradle.lockfile", "cabal.project.freeze", "stack.yaml.lock", "deno.lock", ".terraform.lock.hcl", "conan.lock",
]);

const GENERATED = [
  /\.min\.(js|css|mjs)$/, /\.(js|css|mjs)\.map$/, /\.pb\.(go|cc|h)$/, /_pb2(_grpc)?\.pyi?$/, /\.g\.dart$/,
  /\.freezed\.dart$/, /\.designer\.cs$/, /\.g\.cs$/, /\.generated\.\w+$/, /_generated\.\w+$/, /\.snap$/,
  /(^|\/)__snapshots__\//, /(^|\/)(node_modules|vendor|third_party|bower_components)\//,
];

const TESTS = [
  /(^|\/)(tests?|__tests__|specs?|testdata|test[-_]data|fixtures|e2e)\//, /[._-](test|tests|spec)\.\w+$/,
  /(^|\/)test_[^/]*\.\w+$/, /(^|\/)conftest\.py$/, /[a-z0-9](Test|Tests|Spec|IT)\.(java|kt|scala|cs|swift|groovy)$/,
];

const DOCUMENTS = [
  /\.(md|mdx|markdown|rst|txt|adoc|asciidoc|org|tex|pod|man|[1-8])$/, /(^|\/)(docs?|man)\//,
  /(^|\/)(readme|licen[cs]e|copying|notice|authors|contributors|changelog|changes|history|news|codeowners)[^/]*$/,
];

const DATA = [/\.(svg|csv|tsv|po|pot|xlf|xliff|geojson|ipynb|ics|vtt|srt|lst|dat|pem|crt)$/];

const CONFIGURATION = [
  /\.(json|jsonc|json5|ya?ml|toml|ini|cfg|conf|properties|xml|plist|env|editorconfig|lock|hcl|nix)$/,
  /(^|\/)\.[^/]*$/, /(^|\/)\.(github|gitlab|circleci|vscode|idea|config|husky)\//,
];

// A program in one of these folders is a program all the same.
const PROGRAMS = /\.(rs|c|h|cc|cpp|cxx|hpp|hh|m|mm|go|py|rb|js|mjs|cjs|jsx|ts|tsx|vue|svelte|java|kt|kts|scala|groovy|cs|fs|vb|swift|php|pl|pm|lua|sh|bash|zsh|fish|ps1|sql|r|jl|ex|exs|erl|hs|ml|clj|dart|zig|nim|proto|graphql|css|scss|less|html|htm|tf|cu|asm|s)$/;

const any = (patterns, path) => patterns.some((pattern) => pattern.test(path));

/** One of `KINDS`. What nothing is known about counts as source. */
export function kindOf(path) {
  const lower = path.toLowerCase();
  if (any(TESTS, lower) || any(TESTS, path)) return "test";
  if (any(DATA, lower)) return "data";
  const program = PROGRAMS.test(lower);
  if (!program && any(DOCUMENTS, lower)) return "document";
  if (!program && any(CONFIGURATION, lower)) return "configuration";
  return "source";
}

/** Whether .gitattributes says that no program wrote a file, whatever it looks like. */
function isDenied(attributes) {
  return Object.values(attributes).includes(false);
}

/** Why a file is not to be read because a program wrote it; `null` where none did. `attributes` is of .gitattributes. */
export function writtenBy(path, attributes) {
  const name = path.slice(path.lastIndexOf("/") + 1).toLowerCase();
  if (attributes["linguist-generated"]) return "is generated, as .gitattributes says";
  if (attributes["linguist-vendored"]) return "is somebody else's, as .gitattributes says";
  if (LOCKS.has(name)) return "is a lock file";
  if (!isDenied(attributes) && any(GENERATED, path.toLowerCase())) return "is generated, going by its name";
  return null;
}

/** Added lines of so many characters, one of them or on the average, are not what a person writes. */
const LONGEST_LINE = 5000;
const LONGEST_AVERAGE = 500;

/** Why the text of a diff need not be read, as `writtenBy`. */
export function unreadable(diff, attributes) {
  if (isDenied(attributes)) return null;
  let [lines, signs, longest] = [0, 0, 0];
  for (const line of linesOf(diff)) {
    if (!line.startsWith("+") || line.startsWith("+++ ")) continue;
    lines += 1;
    signs += line.length;
    longest = Math.max(longest, line.length);
    if (lines <= 10 && /@generated\b|Code generated .* DO NOT EDIT|DO NOT EDIT.*generated/i.test(line)) {
      return "is generated, as its first lines say";
    }
  }
  const minified = longest > LONGEST_LINE || (lines > 0 && signs / lines > LONGEST_AVERAGE);
  return minified ? `is minified or data (a line of ${longest} characters)` : null;
}
