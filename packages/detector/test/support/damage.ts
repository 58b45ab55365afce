/** Snapshots as a full disk, a broken transfer, another tool or an attacker leaves them. */
import type { Random } from "./random.ts"
import type { Described, Parts } from "./snapshots.ts"
import { partsOf, sectionsOf, textOf } from "./snapshots.ts"

/** The bytes of a damaged snapshot. */
export type Damage = (heap: Described, chance: Random) => Uint8Array

/** Numbers at the edges of what arrays and formats can hold. */
const small = ["-1", "-0", "1.5", "01", "255", "65536", "2147483647", "2147483648", "4294967295", "4294967296"]
const large = ["1e30", "9007199254740991", "9007199254740993", "18446744073709551616", "9".repeat(400)]
const absurd = [...small, ...large, "NaN", "null", "\"0\"", "[0]", "{}"]
const values = [
  ...absurd,
  "true",
  "\"x\"",
  "[]",
  "[[]]",
  "[1,[2]]",
  "[\"a\"]",
  "{\"a\":1}",
  "",
  "[",
  "\"",
  "[".repeat(3000)
]

const intact = (heap: Described): Buffer => Buffer.from(textOf(sectionsOf(partsOf(heap))))

/** Damage to the bytes of an intact snapshot. */
const toBytes = (change: (bytes: Buffer, chance: Random) => Uint8Array): Damage => (heap, chance) =>
  change(intact(heap), chance)

/** A range of up to a fifth of the bytes. */
const range = (length: number, { integer }: Random): readonly [number, number] => {
  const from = integer(0, length - 1)
  return [from, Math.min(length, from + integer(1, Math.max(1, Math.floor(length / 5))))]
}

/** Damage to the sections, which are text. */
const toSections = (change: (sections: Array<string>, chance: Random) => void): Damage => (heap, chance) => {
  const sections = sectionsOf(partsOf(heap))
  change(sections, chance)
  return Buffer.from(textOf(sections))
}

/** Damage to the numbers and strings before they are written. */
const toParts = (change: (parts: Parts, chance: Random) => void): Damage => (heap, chance) => {
  const parts = partsOf(heap)
  change(parts, chance)
  return Buffer.from(textOf(sectionsOf(parts)))
}

const times = (count: number, run: () => void): void => {
  for (let i = 0; i < count; i++) run()
}

/** The kinds of damage, by name. */
export const damages: Readonly<Record<string, Damage>> = {
  "cut": toBytes((bytes, { integer }) => bytes.subarray(0, integer(0, bytes.length))),
  "bytes changed": toBytes((bytes, { integer }) => {
    times(integer(1, 20), () => (bytes[integer(0, bytes.length - 1)] = integer(0, 255)))
    return bytes
  }),
  "digits changed": toBytes((bytes, { integer }) => {
    times(integer(1, 60), () => {
      const at = integer(0, bytes.length - 1)
      if (bytes[at]! >= 0x30 && bytes[at]! <= 0x39) bytes[at] = integer(0x30, 0x39)
    })
    return bytes
  }),
  "a range is gone": toBytes((bytes, chance) => {
    const [from, to] = range(bytes.length, chance)
    return Buffer.concat([bytes.subarray(0, from), bytes.subarray(to)])
  }),
  "a range stands somewhere else too": toBytes((bytes, chance) => {
    const [from, to] = range(bytes.length, chance)
    const at = chance.integer(0, bytes.length)
    return Buffer.concat([bytes.subarray(0, at), bytes.subarray(from, to), bytes.subarray(at)])
  }),
  "a range of zeros": toBytes((bytes, chance) => bytes.fill(0, ...range(bytes.length, chance))),
  "an absurd number": (heap, { integer, pick }) => {
    const text = intact(heap).toString()
    const start = integer(0, text.length - 1)
    const found = /\d+/.exec(text.slice(start))
    const at = start + (found?.index ?? 0)
    return Buffer.from(text.slice(0, at) + pick(absurd) + text.slice(at + (found?.[0].length ?? 0)))
  },
  "a section is gone": toSections((sections, { integer }) => void sections.splice(integer(0, sections.length - 1), 1)),
  "a section stands twice": toSections((sections, { integer, pick }) =>
    void sections.splice(integer(0, sections.length), 0, pick(sections))
  ),
  "sections have another order": toSections((sections, { integer }) => {
    for (let i = sections.length - 1; i > 0; i--) {
      const other = integer(0, i)
      const one = sections[i]!
      sections[i] = sections[other]!
      sections[other] = one
    }
  }),
  "sections have each other's names": toSections((sections, { integer }) => {
    const [one, other] = [integer(0, sections.length - 1), integer(0, sections.length - 1)]
    const nameOf = (section: string): string => section.slice(0, section.indexOf(":"))
    const [first, second] = [sections[one]!, sections[other]!]
    sections[one] = nameOf(second) + first.slice(nameOf(first).length)
    sections[other] = nameOf(first) + second.slice(nameOf(second).length)
  }),
  "a section of another type": toSections((sections, { integer, pick }) => {
    const at = integer(0, sections.length - 1)
    sections[at] = sections[at]!.slice(0, sections[at]!.indexOf(":") + 1) + pick(values)
  }),
  "a header of another type": toParts(({ snapshot }, { pick }) => {
    const part: Record<string, unknown> = pick([snapshot as unknown as Record<string, unknown>, snapshot.meta])
    const other = [...values, pick(values)].flatMap((text) => {
      try {
        return [JSON.parse(text) as unknown]
      } catch {
        return []
      }
    })
    part[pick(Object.keys(part))] = pick(other)
  }),
  "other counts": toParts(({ snapshot }, { integer, pick }) => {
    const counts = [0, 1, snapshot.node_count + 1, snapshot.node_count - 1, integer(0, 1000), 2 ** 31, 2 ** 31 - 1]
    snapshot[pick(["node_count", "edge_count"] as const)] = pick(counts)
  }),
  "other fields": toParts(({ snapshot }, { integer, pick }) => {
    const fields = snapshot.meta[pick(["node_fields", "edge_fields", "location_fields"])] as Array<string>
    const changed = [...fields]
    const at = integer(0, fields.length - 1)
    if (integer(0, 1) === 0) changed.splice(at, 1)
    else changed.splice(at, 0, pick(fields))
    for (const [name, value] of Object.entries(snapshot.meta)) if (value === fields) snapshot.meta[name] = changed
  }),
  "other types": toParts(({ snapshot }, { integer, pick }) => {
    const name = pick(["node_types", "edge_types"])
    const [types, ...rest] = snapshot.meta[name] as [Array<string>, ...Array<unknown>]
    const changed: Array<unknown> = [...types]
    changed.splice(integer(0, types.length - 1), integer(0, 1), pick<unknown>([...types, "new", 7, null, ["x"], {}]))
    snapshot.meta[name] = [changed, ...rest]
  }),
  "references to other nodes": toParts(({ edges, format, snapshot }, { integer, next }) => {
    const share = next()
    for (let at = 2; at < edges.length; at += format.edgeFields.length) {
      if (next() < share) edges[at] = format.nodeFields.length * integer(0, snapshot.node_count - 1)
    }
  }),
  "references of other types and names": toParts(({ edges, format, strings }, { integer, next }) => {
    const share = next()
    for (let at = 0; at < edges.length; at += format.edgeFields.length) {
      if (next() > share) continue
      edges[at] = integer(0, format.edgeTypes.length - 1)
      edges[at + 1] = integer(0, strings.length - 1)
    }
  }),
  "nodes of other types, names, ids and sizes": toParts(({ format, nodes, strings }, { integer, next }) => {
    const share = next()
    for (let at = 0; at < nodes.length; at += format.nodeFields.length) {
      if (next() > share) continue
      nodes[at] = integer(0, format.nodeTypes.length - 1)
      nodes[at + 1] = integer(0, strings.length - 1)
      nodes[at + 2] = integer(0, 50)
      nodes[at + 3] = next() < 0.1 ? 2 ** 52 : integer(0, 100_000)
    }
  }),
  "references of other nodes": toParts(({ format, nodes, snapshot }, { integer }) => {
    const countAt = (node: number): number => format.nodeFields.length * node + 4
    times(snapshot.node_count, () => {
      const [from, to] = [integer(0, snapshot.node_count - 1), integer(0, snapshot.node_count - 1)]
      const moved = integer(0, nodes[countAt(from)]!)
      nodes[countAt(from)]! -= moved
      nodes[countAt(to)]! += moved
    })
  }),
  "other locations": toParts(({ format, locations, snapshot }, { integer, pick }) => {
    times(integer(1, 2), () => {
      const node = pick([integer(0, snapshot.node_count - 1), snapshot.node_count, -1, 0.5])
      locations!.push(format.nodeFields.length * node, integer(0, 9), integer(0, 9), pick([0, 9, 2 ** 31 - 1]))
    })
  }),
  "other strings": toParts(({ strings }, { integer, pick }) => {
    const other = ["", "\0", "\\", "\ud800", "{", "@1", "x".repeat(100_000), "(GC roots)", "system / Context"]
    times(integer(1, 20), () => (strings[integer(0, strings.length - 1)] = pick([...other, pick(strings)])))
  }),
  "escapes that do not exist": toBytes((bytes, { integer, pick }) => {
    const from = bytes.indexOf("\"strings\":")
    times(
      integer(1, 10),
      () => void bytes.write(pick(["\\x", "\\u12", "\\", "\\\"", "\n"]), integer(from, bytes.length))
    )
    return bytes
  })
}
