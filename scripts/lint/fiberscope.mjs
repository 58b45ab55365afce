// Lint rules of this repository, as an oxlint plugin.
//
// guarded-entry: in code that is loaded into programs that are not ours, a function that the runtime may call must be made by a guard
// (`guard.entry(…)`, `guard.around(…)`), or stand below a comment `// guarded: <reason>`. An exception that left it would end or change
// the program.

/** Calls that hand a function to the runtime, by the name of what is called. */
const registering = new Set([
  "setTimeout",
  "setInterval",
  "setImmediate",
  "queueMicrotask",
  "nextTick",
  "on",
  "once",
  "addListener",
  "prependListener",
  "prependOnceListener",
  "addEventListener",
  "subscribe",
  "post",
  "registerHooks",
  "createHook",
  "defineProperty",
  "then",
  "catch",
  "finally"
])

const constructed = new Set(["FinalizationRegistry", "PerformanceObserver", "MessageChannel", "Promise"])

const isFunction = (node) => node.type === "ArrowFunctionExpression" || node.type === "FunctionExpression"

const nameOf = (node) =>
  node.type === "Identifier"
    ? node.name
    : node.type === "MemberExpression" && node.property.type === "Identifier"
    ? node.property.name
    : undefined

const guardedEntry = {
  meta: {
    type: "problem",
    docs: { description: "functions that the runtime calls in observed programs are made by a guard" },
    messages: {
      unguarded:
        "The runtime calls this function inside of programs that are not ours. Make it with guard.entry or guard.around, or say above it why it cannot throw: `// guarded: <reason>`."
    }
  },
  create: (context) => {
    const source = context.sourceCode
    /** Functions of this file and aliases of registering calls, by name. */
    const functions = new Map()
    const aliases = new Set()
    const hasReason = (node) => {
      for (let at = node; at !== null && at !== undefined; at = at.parent) {
        const line = source.lines[at.loc.start.line - 2] ?? ""
        const own = source.lines[at.loc.start.line - 1] ?? ""
        if (/\/\/ guarded: \S/.test(line) || /\/\/ guarded: \S/.test(own)) return true
        if (at.type.endsWith("Statement") || at.type.endsWith("Declaration")) return false
      }
      return false
    }
    const later = []
    /** A function that is passed on: written here, or a function of this file by its name. */
    const check = (node) => {
      if (isFunction(node) || node.type === "Identifier") later.push(node)
      if (node.type === "ObjectExpression") {
        for (const property of node.properties) {
          // The arguments of a registering call may be an object of hooks: load, resolve, get, set, value, init.
          if (property.type === "Property") check(property.value)
        }
      }
    }
    return {
      VariableDeclarator: ({ id, init }) => {
        if (id.type !== "Identifier" || init === null) return
        if (isFunction(init)) functions.set(id.name, init)
        if (init.type === "Identifier" && registering.has(init.name)) aliases.add(id.name)
      },
      FunctionDeclaration: (node) => {
        if (node.id !== null) functions.set(node.id.name, node)
      },
      CallExpression: (node) => {
        const name = nameOf(node.callee)
        if (registering.has(name) || aliases.has(name)) node.arguments.forEach(check)
      },
      NewExpression: (node) => {
        if (constructed.has(nameOf(node.callee))) node.arguments.forEach(check)
      },
      AssignmentExpression: ({ left, right }) => {
        // prototype.evaluate = …, Error.prepareStackTrace = …: the runtime finds it there.
        const holder = left.type === "MemberExpression" ? nameOf(left.object) : undefined
        if (holder === "prototype" || holder === "Error" || holder === "globalThis") check(right)
      },
      "Program:exit": () => {
        for (const node of later) {
          const found = node.type === "Identifier" ? functions.get(node.name) : node
          if (found !== undefined && !hasReason(node) && !hasReason(found)) {
            context.report({ node, messageId: "unguarded" })
          }
        }
      }
    }
  }
}

export default { meta: { name: "fiberscope" }, rules: { "guarded-entry": guardedEntry } }
