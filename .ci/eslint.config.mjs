// What the page's script is checked for, beyond its types.

const rules = [
  "array-callback-return", "default-case-last", "eqeqeq", "no-cond-assign", "no-const-assign", "no-constant-condition",
  "no-dupe-keys", "no-duplicate-imports", "no-eval", "no-fallthrough", "no-implicit-globals", "no-implied-eval",
  "no-loss-of-precision", "no-self-compare", "no-shadow-restricted-names", "no-sparse-arrays", "no-unmodified-loop-condition",
  "no-unreachable", "no-unsafe-finally", "no-unused-private-class-members", "no-useless-assignment", "no-useless-catch",
  "no-useless-escape", "no-useless-return", "no-var", "object-shorthand", "prefer-const", "use-isnan", "valid-typeof",
];

export default [
  {
    files: ["**/*.js"],
    linterOptions: { reportUnusedDisableDirectives: "error" },
    rules: {
      ...Object.fromEntries(rules.map((rule) => [rule, "error"])),
      eqeqeq: ["error", "always", { null: "ignore" }],
      "max-lines": ["error", 450],
      "max-len": ["error", { code: 140, ignoreTemplateLiterals: true, ignoreStrings: true }],
    },
  },
];
