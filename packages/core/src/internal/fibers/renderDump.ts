/** Renders the dump of live fibers as a tree. Plain text; wrapping long lines is left to the terminal. */
import type { FiberInfo } from "../../FiberCensus.ts"
import { renderSite } from "../../FiberSite.ts"

interface Group {
  readonly site: FiberInfo["site"]
  readonly fibers: Array<FiberInfo>
}

export const renderDump = (
  dump: ReadonlyArray<FiberInfo>,
  options?: { readonly base?: string | undefined }
): string => {
  const key = (copy: number, id: number) => `${copy}/${id}`
  const known = new Set(dump.map(({ copy, id }) => key(copy, id)))
  const children = new Map<string, Array<FiberInfo>>()
  for (const fiber of dump) {
    // A child whose parent has ended, or was never seen, becomes a root.
    const parent = fiber.parent === undefined ? "" : key(fiber.copy, fiber.parent)
    const at = known.has(parent) ? parent : ""
    const list = children.get(at)
    if (list === undefined) children.set(at, [fiber])
    else list.push(fiber)
  }
  const lines = [`${dump.length} live ${dump.length === 1 ? "fiber" : "fibers"}`]
  const walk = (fibers: ReadonlyArray<FiberInfo>, indent: string): void => {
    const groups = groupBySite(fibers)
    groups.forEach((group, index) => {
      const last = index === groups.length - 1
      lines.push(`${indent}${last ? "└─ " : "├─ "}${renderGroup(group, options?.base)}`)
      const below = group.fibers.flatMap(({ copy, id }) => children.get(key(copy, id)) ?? [])
      if (below.length > 0) walk(below, indent + (last ? "   " : "│  "))
    })
  }
  walk(children.get("") ?? [], "")
  return lines.join("\n")
}

const groupBySite = (fibers: ReadonlyArray<FiberInfo>): ReadonlyArray<Group> => {
  const groups = new Map<number, Group>()
  for (const fiber of fibers) {
    const group = groups.get(fiber.site.id)
    if (group === undefined) groups.set(fiber.site.id, { site: fiber.site, fibers: [fiber] })
    else group.fibers.push(fiber)
  }
  return [...groups.values()].sort((a, b) => b.fibers.length - a.fibers.length || a.site.id - b.site.id)
}

const renderGroup = ({ fibers, site }: Group, base: string | undefined): string => {
  const age = renderAge(fibers.reduce((oldest, { ageMs }) => Math.max(oldest, ageMs), 0))
  const name = renderSite(site, base)
  const first = fibers[0]!
  const marks = [
    fibers.length === 1 ? `#${first.id}` : undefined,
    fibers.length === 1 && first.status === "running" ? "running" : undefined,
    ...count(fibers, "interrupting", ({ interrupting }) => interrupting),
    ...count(fibers, "uninterruptible", ({ interruptible }) => !interruptible)
  ].filter((mark) => mark !== undefined)
  const many = fibers.length === 1 ? `, ${age}` : ` × ${grouped(fibers.length)}, oldest ${age}`
  return `${name}${many}${marks.length > 0 ? ` [${marks.join(", ")}]` : ""}`
}

const count = (
  fibers: ReadonlyArray<FiberInfo>,
  word: string,
  is: (fiber: FiberInfo) => boolean
): ReadonlyArray<string> => {
  const n = fibers.filter(is).length
  return n === 0 ? [] : [n === fibers.length ? word : `${grouped(n)} ${word}`]
}

/** Formats 1204 as `1 204`, with a thin non-breaking space. */
const grouped = (n: number): string => String(n).replace(/\B(?=(\d{3})+$)/g, "\u202f")

const renderAge = (ms: number): string => {
  if (ms < 1000) return `${Math.round(ms)} ms`
  const s = Math.floor(ms / 1000)
  if (s < 60) return `${s} s`
  if (s < 3600) return `${Math.floor(s / 60)} m ${s % 60} s`
  return `${Math.floor(s / 3600)} h ${Math.floor(s / 60) % 60} m`
}
