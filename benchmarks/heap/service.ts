/**
 * The heap of a service that does not exist: sessions with users, strings, closures, maps and entries of WeakMaps in registries, and a
 * list of listeners. Its size is what is asked for.
 */
import type { Draw, Heap } from "./writer.ts"

/** What a heap consists of. */
export interface Size {
  readonly sessions: number
  /** Links of the list of listeners. */
  readonly links: number
}

const classes = 60
const modules = 40
const sharedStrings = 400
const sessionsInRegistry = 1000
const sessionsPerEntry = 64

const roots = ["(Bootstrapper)", "(Builtins)", "(Global handles)", "(Handle scope)", "(Stack roots)", "(Strong roots)"]
const ofV8 = [
  "",
  "(GC roots)",
  "global",
  "map",
  "table",
  "elements",
  "shared",
  "context",
  "script",
  "scope_info"
] as const
const ofScopes = ["previous", "feedback_cell", "next", "prev", "callback", "first", "second", "key", "value"] as const
const ofSessions = ["session", "user", "attributes", "handlers", "state", "id", "email", "created", "parent"] as const
const ofRegistries = ["registries", "listeners", "sessions", "seen", "handle", "name"] as const
const ofClasses = ["Object", "Array", "Map", "WeakMap", "Registry", "Listener", "heap number", "system / Map"] as const
const ofHidden = ["(object elements)", "system / ScopeInfo", "system / Context", "system / FeedbackCell"] as const
const names = [...ofV8, ...ofScopes, ...ofSessions, ...ofRegistries, ...ofClasses, ...ofHidden] as const

const classNames = Array.from({ length: classes }, (_, i) => `Session${i}`)
const files = Array.from({ length: modules }, (_, i) => `file:///srv/app/src/module${i}/index.js`)
const functions = Array.from({ length: modules }, (_, i) => `onEvent${i}`)
const shared = Array.from({ length: sharedStrings }, (_, i) => `a value that many objects have, number ${i}`)

/** The strings that every such heap has. */
export const words: ReadonlyArray<string> = [...names, ...roots, ...classNames, ...files, ...functions, ...shared]

const numbers = new Map(words.map((word, i) => [word, i]))
const word = (text: string): number => numbers.get(text)!
const w = Object.fromEntries(names.map((name) => [name, word(name)])) as Readonly<
  Record<typeof names[number], number>
>
const firstClass = word(classNames[0]!)
const firstFunction = word(functions[0]!)
const firstFile = word(files[0]!)
const firstShared = word(shared[0]!)

/** The positions of what comes before the sessions. */
const at = (() => {
  let next = 0
  const take = (count: number): number => (next += count) - count
  return {
    root: take(1),
    gcRoots: take(1),
    roots: take(roots.length),
    global: take(1),
    metaMap: take(1),
    shapes: take(classes),
    strings: take(sharedStrings),
    /** For each module: its script, the name of that, a function, its scope, its feedback, and the context of the module. */
    modules: take(6 * modules),
    registries: take(2),
    sessions: next
  }
})()

const nodesOfSession = 16
const nodesOfRegistry = 5
const nodesOfLink = 2

/** Draws the heap. */
export const service = ({ links, sessions }: Size): Draw => {
  const registries = Math.ceil(sessions / sessionsInRegistry)
  const registry = (i: number): number =>
    at.sessions + Math.min(sessions, (i + 1) * sessionsInRegistry) * nodesOfSession + i * nodesOfRegistry
  const session = (i: number): number =>
    at.sessions + i * nodesOfSession + Math.floor(i / sessionsInRegistry) * nodesOfRegistry
  const firstLink = at.sessions + sessions * nodesOfSession + registries * nodesOfRegistry
  return (heap) => {
    drawStart(heap, registries, registry, links > 0 ? firstLink : undefined)
    for (let i = 0; i < sessions; i++) {
      drawSession(heap, i, session, registry)
      if (i === sessions - 1 || (i + 1) % sessionsInRegistry === 0) {
        drawRegistry(heap, Math.floor(i / sessionsInRegistry), sessions, session, registry)
      }
    }
    for (let i = 0; i < links; i++) drawLink(heap, i, firstLink, links)
  }
}

const drawStart = (
  { edge, node }: Heap,
  registries: number,
  registry: (i: number) => number,
  firstLink: number | undefined
): void => {
  node("synthetic", w[""], 0)
  edge("element", 1, at.gcRoots)
  edge("shortcut", w.global, at.global)
  node("synthetic", w["(GC roots)"], 0)
  for (let i = 0; i < roots.length; i++) edge("element", i + 1, at.roots + i)
  for (const [i, root] of roots.entries()) {
    node("synthetic", word(root), 0)
    if (root === "(Strong roots)") { for (let k = 0; k < classes; k++) edge("hidden", k, at.shapes + k) }
    if (root === "(Global handles)") edge("element", 1, at.global)
    if (root === "(Stack roots)") edge("element", i, at.registries)
  }
  node("object", w.global, 48)
  edge("internal", w.map, at.shapes)
  edge("property", w.registries, at.registries)
  if (firstLink !== undefined) edge("property", w.listeners, firstLink)
  node("object shape", w["system / Map"], 80)
  for (let i = 0; i < classes; i++) {
    node("object shape", w["system / Map"], 80)
    edge("internal", w.map, at.metaMap)
  }
  for (let i = 0; i < sharedStrings; i++) {
    node("string", firstShared + i, 56)
    edge("internal", w.map, at.shapes)
  }
  for (let i = 0; i < modules; i++) {
    const module = at.modules + 6 * i
    node("code", w.script, 128)
    edge("internal", w.name, module + 1)
    node("string", firstFile + i, 64)
    node("code", firstFunction + i, 72)
    edge("internal", w.script, module)
    edge("internal", w.scope_info, module + 3)
    node("hidden", w["system / ScopeInfo"], 48)
    node("hidden", w["system / FeedbackCell"], 24)
    node("object", w["system / Context"], 64)
    edge("internal", w.scope_info, module + 3)
    edge("context", w.registries, at.registries)
  }
  node("object", w.Array, 32)
  edge("internal", w.elements, at.registries + 1)
  node("array", w["(object elements)"], 16 + 8 * registries)
  for (let i = 0; i < registries; i++) edge("element", i, registry(i))
}

/** A number that looks random, from 0 on, and is the same for each call. */
const draw = (i: number, below: number): number => {
  let mixed = Math.imul(i + 1, 0x9e37_79b1)
  mixed = Math.imul(mixed ^ (mixed >>> 15), 0x85eb_ca6b)
  return ((mixed ^ (mixed >>> 13)) >>> 0) % below
}

const id = (node: number): number => 2 * node + 1

const entry = (i: number, key: number, value: number, table: number): string =>
  `${i} / part of key (${classNames[0]} @${id(key)}) -> value (Object @${id(value)}) pair in WeakMap (table @${
    id(table)
  })`

const drawSession = (
  { edge, location, node, string: text }: Heap,
  i: number,
  session: (i: number) => number,
  registry: (i: number) => number
): void => {
  const self = session(i)
  const chosen = draw(i, classes)
  const module = at.modules + 6 * draw(3 * i, modules)
  const share = (k: number): number => at.strings + draw(i + 7 * k, sharedStrings)
  const map = (k = 0): void => edge("internal", w.map, at.shapes + (chosen + k) % classes)

  node("object", firstClass + chosen, 72)
  map()
  edge("property", w.id, self + 1)
  edge("property", w.user, self + 2)
  edge("property", w.attributes, self + 5)
  edge("property", w.handlers, self + 11)
  edge("property", w.handle, self + 13)
  edge("property", w.state, share(1))
  if (i > 0 && i % 20 === 0) edge("property", w.parent, session(draw(i, i)))
  if (i % sessionsPerEntry === 0) {
    const table = registry(Math.floor(i / sessionsInRegistry)) + 4
    edge("internal", words.length + text(() => entry(1, self, self + 2, table)), self + 2)
  }
  node("string", words.length + text(() => `session-${i.toString(16).padStart(12, "0")}`), 32)
  map(1)
  node("object", w.Object, 32)
  map(2)
  edge("property", w.email, self + 3)
  edge("property", w.created, self + 4)
  node("string", words.length + text(() => `person${i}@example.org`), 40)
  map(1)
  node("number", w["heap number"], 16)
  map(3)
  node("object", w.Map, 32)
  map(4)
  edge("internal", w.table, self + 6)
  node("array", w[""], 120)
  map(5)
  edge("internal", w.key, share(2))
  edge("hidden", 4, self + 7)
  edge("internal", w.key, share(3))
  edge("hidden", 7, self + 8)
  for (const part of [9, 10]) {
    node("object", w.Object, 32)
    map(6)
    edge("property", w.name, share(part))
    edge("property", w.value, self + part)
  }
  node("string", words.length + text(() => `note ${i}: ${"what was said ".repeat(1 + draw(i, 8))}`), 160)
  map(1)
  node("concatenated string", w[""], 32)
  map(7)
  edge("internal", w.first, self + 9)
  edge("internal", w.second, share(4))
  node("object", w.Array, 32)
  map(8)
  edge("internal", w.elements, self + 12)
  node("array", w["(object elements)"], 32)
  map(9)
  edge("element", 0, self + 13)
  edge("element", 1, self + 15)
  for (const part of [13, 15]) {
    node("closure", firstFunction + draw(3 * i, modules), 64)
    location(1 + draw(3 * i, modules), 10 * part, 4)
    map(10)
    edge("internal", w.shared, module + 2)
    edge("internal", w.context, self + 14)
    edge("internal", w.feedback_cell, module + 4)
    if (part === 15) continue
    node("object", w["system / Context"], 40)
    map(11)
    edge("internal", w.scope_info, module + 3)
    edge("internal", w.previous, module + 5)
    edge("context", w.session, self)
  }
}

const drawRegistry = (
  { edge, node, string: text }: Heap,
  i: number,
  sessions: number,
  session: (i: number) => number,
  registry: (i: number) => number
): void => {
  const self = registry(i)
  const from = i * sessionsInRegistry
  const to = Math.min(sessions, from + sessionsInRegistry)
  node("object", w.Registry, 40)
  edge("internal", w.map, at.shapes)
  edge("property", w.sessions, self + 1)
  edge("property", w.seen, self + 3)
  node("object", w.Map, 32)
  edge("internal", w.table, self + 2)
  node("array", w[""], 24 * (to - from))
  for (let k = from; k < to; k++) {
    edge("hidden", 3 * (k - from), session(k) + 1)
    edge("hidden", 3 * (k - from) + 1, session(k))
  }
  node("object", w.WeakMap, 32)
  edge("internal", w.table, self + 4)
  node("array", w[""], 16 * (to - from))
  for (let k = from; k < to; k++) {
    if (k % sessionsPerEntry !== 0) continue
    edge("internal", words.length + text(() => entry(k - from, session(k), session(k) + 2, self + 4)), session(k) + 2)
  }
}

const drawLink = ({ edge, location, node }: Heap, i: number, first: number, links: number): void => {
  const self = first + nodesOfLink * i
  const module = at.modules + 6 * (i % modules)
  node("object", w.Listener, 40)
  edge("internal", w.map, at.shapes + 12)
  if (i < links - 1) edge("property", w.next, self + nodesOfLink)
  if (i > 0) edge("property", w.prev, self - nodesOfLink)
  edge("property", w.callback, self + 1)
  node("closure", firstFunction + i % modules, 64)
  location(1 + i % modules, 7, 2)
  edge("internal", w.map, at.shapes + 10)
  edge("internal", w.shared, module + 2)
  edge("internal", w.context, module + 5)
  edge("internal", w.feedback_cell, module + 4)
}
