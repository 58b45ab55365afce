/** The header of a heap snapshot, and the columns into which the rows of its lists go. */
import type { Rows } from "./SnapshotLists.ts"
import { refuse } from "./SnapshotLists.ts"

/** Which fields the rows of a snapshot have, and how many there are. */
export interface Header {
  readonly nodeFields: ReadonlyArray<string>
  readonly edgeFields: ReadonlyArray<string>
  readonly locationFields: ReadonlyArray<string>
  readonly nodeTypes: ReadonlyMap<string, number>
  readonly edgeTypes: ReadonlyMap<string, number>
  readonly nodes: number
  readonly edges: number
}

/** V8 has seven fields at most, and fifteen types. */
const mostFields = 64
const mostTypes = 255

/** Reads the value of `snapshot`. */
export const headerOf = (text: string): Header => {
  const value = parse(text)
  const meta = fieldOf(value, "meta")
  const list = (name: string): ReadonlyArray<string> => {
    const found = fieldOf(meta, name)
    if (!Array.isArray(found) || found.length > mostFields || !found.every((one) => typeof one === "string")) {
      throw refuse(`its header does not say ${name}`)
    }
    return found
  }
  const types = (name: string): ReadonlyMap<string, number> => {
    const found = fieldOf(meta, name)
    const first: unknown = Array.isArray(found) ? found[0] : undefined
    if (!Array.isArray(first) || first.length > mostTypes || !first.every((one) => typeof one === "string")) {
      throw refuse(`its header does not say ${name}`)
    }
    const numbers = new Map(first.map((one, i) => [one, i]))
    if (numbers.size !== first.length) throw refuse(`its header says ${name} twice`)
    return numbers
  }
  const count = (name: string): number => {
    const found = fieldOf(value, name)
    if (!Number.isSafeInteger(found) || (found as number) < 0 || (found as number) > 2 ** 31) {
      throw refuse(`its header does not say ${name}`)
    }
    return found as number
  }
  const header = {
    nodeFields: list("node_fields"),
    edgeFields: list("edge_fields"),
    locationFields: fieldOf(meta, "location_fields") === undefined ? [] : list("location_fields"),
    nodeTypes: types("node_types"),
    edgeTypes: types("edge_types"),
    nodes: count("node_count"),
    edges: count("edge_count")
  }
  if (header.nodes === 0) throw refuse("it has no node")
  return header
}

const parse = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    throw refuse("its header is not JSON")
  }
}

const fieldOf = (value: unknown, name: string): unknown =>
  typeof value === "object" && value !== null ? (value as Readonly<Record<string, unknown>>)[name] : undefined

/** The position of a field in a row. */
const fieldAt = (fields: ReadonlyArray<string>, name: string): number => {
  const at = fields.indexOf(name)
  if (at < 0) throw refuse(`its rows have no ${name}`)
  return at
}

type Column = Uint8Array<ArrayBuffer> | Uint32Array<ArrayBuffer> | Float64Array<ArrayBuffer>

/** A column that is long enough for `length` values. It doubles, up to the announced size. */
const grown = <A extends Column>(column: A, length: number, announced: number): A => {
  if (length <= column.length) return column
  if (length > announced) throw refuse("it has more rows than its header says")
  const Type = column.constructor as new(length: number) => A
  const more = new Type(Math.min(announced, Math.max(length, 2 * column.length)))
  more.set(column)
  return more
}

/** Rows for which there is room at first: all of them where the text is long enough to hold them, with two bytes for a number. */
const firstRows = (announced: number, fields: number, bytes: number): number =>
  announced * fields * 2 <= bytes ? announced : Math.min(announced, 1 << 16)

const within = (number: number, most: number, what: string): number => {
  if (!(number >= 0 && number <= most)) throw refuse(`${what} is out of range`)
  return number
}

const mostWord = 2 ** 32 - 1

export class NodeRows implements Rows {
  readonly fields: number
  readonly #announced: number
  readonly #types: number
  readonly #edges: number
  readonly #at: {
    readonly type: number
    readonly name: number
    readonly id: number
    readonly self: number
    readonly edges: number
  }
  type: Uint8Array<ArrayBuffer>
  name: Uint32Array<ArrayBuffer>
  id: Uint32Array<ArrayBuffer>
  /** Eight bytes for each only where an object is larger than four of them can say. */
  selfSize: Uint32Array<ArrayBuffer> | Float64Array<ArrayBuffer>
  firstEdge: Uint32Array<ArrayBuffer>
  count = 0
  mostName = 0
  #nextEdge = 0

  constructor({ edges, nodeFields, nodeTypes, nodes }: Header, bytes: number) {
    this.fields = nodeFields.length
    this.#announced = nodes
    this.#types = nodeTypes.size
    this.#edges = edges
    this.#at = {
      type: fieldAt(nodeFields, "type"),
      name: fieldAt(nodeFields, "name"),
      id: fieldAt(nodeFields, "id"),
      self: fieldAt(nodeFields, "self_size"),
      edges: fieldAt(nodeFields, "edge_count")
    }
    const room = firstRows(nodes, this.fields, bytes)
    this.type = new Uint8Array(room)
    this.name = new Uint32Array(room)
    this.id = new Uint32Array(room)
    this.selfSize = new Uint32Array(room)
    this.firstEdge = new Uint32Array(room + 1)
  }

  store(numbers: Float64Array, count: number): void {
    const { fields } = this
    const length = this.count + count / fields
    const types = this.type = grown(this.type, length, this.#announced)
    const names = this.name = grown(this.name, length, this.#announced)
    const ids = this.id = grown(this.id, length, this.#announced)
    this.selfSize = grown(this.selfSize, length, this.#announced)
    const firstEdge = this.firstEdge = grown(this.firstEdge, length + 1, this.#announced + 1)
    const { edges, id, name, self, type } = this.#at
    const mostType = this.#types - 1
    const mostEdge = this.#edges
    let mostName = this.mostName
    let nextEdge = this.#nextEdge
    let node = this.count
    for (let row = 0; row < count; row += fields, node++) {
      types[node] = within(numbers[row + type]!, mostType, "the type of a node")
      const named = within(numbers[row + name]!, mostWord, "the name of a node")
      if (named > mostName) mostName = named
      names[node] = named
      ids[node] = within(numbers[row + id]!, mostWord, "the id of a node")
      const size = within(numbers[row + self]!, 2 ** 53, "the size of a node")
      if (size > mostWord && this.selfSize instanceof Uint32Array) this.selfSize = new Float64Array(this.selfSize)
      this.selfSize[node] = size
      nextEdge += within(numbers[row + edges]!, mostEdge, "the number of edges")
      firstEdge[node + 1] = within(nextEdge, mostEdge, "the number of edges")
    }
    this.mostName = mostName
    this.#nextEdge = nextEdge
    this.count = length
  }
}

export class EdgeRows implements Rows {
  readonly fields: number
  readonly #announced: number
  readonly #nodes: number
  readonly #nodeFields: number
  readonly #at: { readonly type: number; readonly name: number; readonly to: number }
  /** For each type, 1 if its names are strings; those of the others are indexes. */
  readonly #isNamed: Uint8Array
  type: Uint8Array<ArrayBuffer>
  name: Uint32Array<ArrayBuffer>
  target: Uint32Array<ArrayBuffer>
  count = 0
  mostName = 0

  constructor({ edgeFields, edges, edgeTypes, nodeFields, nodes }: Header, bytes: number) {
    this.fields = edgeFields.length
    this.#announced = edges
    this.#nodes = nodes
    this.#nodeFields = nodeFields.length
    this.#isNamed = Uint8Array.from(edgeTypes.keys(), (type) => type === "element" || type === "hidden" ? 0 : 1)
    this.#at = {
      type: fieldAt(edgeFields, "type"),
      name: fieldAt(edgeFields, "name_or_index"),
      to: fieldAt(edgeFields, "to_node")
    }
    const room = firstRows(edges, this.fields, bytes)
    this.type = new Uint8Array(room)
    this.name = new Uint32Array(room)
    this.target = new Uint32Array(room)
  }

  store(numbers: Float64Array, count: number): void {
    const { fields } = this
    const length = this.count + count / fields
    const types = this.type = grown(this.type, length, this.#announced)
    const names = this.name = grown(this.name, length, this.#announced)
    const targets = this.target = grown(this.target, length, this.#announced)
    const { name, to, type } = this.#at
    const isNamed = this.#isNamed
    const mostType = isNamed.length - 1
    const mostTarget = this.#nodes - 1
    const nodeFields = this.#nodeFields
    let mostName = this.mostName
    let edge = this.count
    for (let row = 0; row < count; row += fields, edge++) {
      const kind = within(numbers[row + type]!, mostType, "the type of an edge")
      const named = within(numbers[row + name]!, mostWord, "the name of an edge")
      const target = numbers[row + to]! / nodeFields
      if (target !== Math.floor(target)) throw refuse("an edge leads into the middle of a node")
      if (named > mostName && isNamed[kind] === 1) mostName = named
      types[edge] = kind
      names[edge] = named
      targets[edge] = within(target, mostTarget, "the target of an edge")
    }
    this.mostName = mostName
    this.count = length
  }
}

/** Rows of node, script, line and column. */
export class LocationRows implements Rows {
  readonly fields: number
  readonly #at: ReadonlyArray<number>
  readonly #nodeFields: number
  readonly #nodes: number
  rows = new Int32Array(1 << 12)
  count = 0

  constructor({ locationFields, nodeFields, nodes }: Header) {
    this.fields = Math.max(1, locationFields.length)
    this.#at = ["object_index", "script_id", "line", "column"].map((name) => fieldAt(locationFields, name))
    this.#nodeFields = nodeFields.length
    this.#nodes = nodes
  }

  store(numbers: Float64Array, count: number): void {
    const length = 4 * (this.count + count / this.fields)
    if (length > this.rows.length) {
      const more = new Int32Array(Math.max(length, 2 * this.rows.length))
      more.set(this.rows)
      this.rows = more
    }
    const [object, ...place] = this.#at
    let at = 4 * this.count
    for (let row = 0; row < count; row += this.fields) {
      const node = numbers[row + object!]! / this.#nodeFields
      if (node !== Math.floor(node)) throw refuse("a location belongs to the middle of a node")
      this.rows[at++] = within(node, this.#nodes - 1, "the node of a location")
      for (const field of place) {
        const number = numbers[row + field]!
        if (Math.abs(number) >= 2 ** 32) throw refuse("the place of a location is out of range")
        // A script that begins before its file, as one in a wrapper does, has negative places, which V8 writes without a sign.
        this.rows[at++] = number | 0
      }
    }
    this.count = length / 4
  }
}
