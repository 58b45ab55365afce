/** A path in the heap in words: from the variable or field that a person can find, to the objects that accumulate. */
import { isProgramFile } from "@fiberscope/core/FiberSite"
import type { HeapPath, HeapStep } from "../agent/Protocol.ts"
import { describeSite, siteOf } from "./Site.ts"
import type { Site } from "./Site.ts"

/** A path as a person reads it. */
export interface DescribedPath {
  /** Names of references and classes, from the keeper to a member. */
  readonly names: ReadonlyArray<string>
  /** The variable of the program with which the path starts; where there is none, the field that holds the container. */
  readonly keeper: string
  /** The class of the members. */
  readonly member: string
  /** The declaration of that variable, or a function that uses it. */
  readonly scope: Site | undefined
}

/** The most names that are shown of a path. */
const most = 8

/** Describes a path. It starts at the last variable of the program on it; where there is none, at its last references. */
export const describePath = ({ steps }: Pick<HeapPath, "steps">): DescribedPath => {
  const scopes = steps.flatMap((step, i) => step.kind === "scope" && i < steps.length - 1 ? [i] : [])
  const own = scopes.findLast((i) => isOfProgram(steps[i]!))
  const start = own ?? scopes.find((i) => isName(steps[i + 1]!.edge))
  const shown = steps.slice(start === undefined ? 0 : start + 1).filter(({ kind }) => kind !== "internal")
  const names = shown.flatMap(namesOf)
  const place = own === undefined ? undefined : steps[own]!.place
  const named = shown.slice(0, -1).findLast(({ edge }) => isName(edge) && !silentEdges.has(edge))
    ?? shown.findLast(({ edge }) => isName(edge))
  return {
    names: shortened(names, place === undefined ? 0 : 3),
    keeper: (place === undefined ? named?.edge : names[0]) ?? names[0] ?? "",
    member: steps.length === 0 ? "" : nodeName(steps.at(-1)!),
    scope: place === undefined ? undefined : siteOf(place)
  }
}

/**
 * A path as one line: `pending (src/users.ts:6:7) → Map → Request`, or the function near which its variable is, if the declaration is not
 * known.
 */
export const pathLine = (
  { path, scope }: { readonly path: ReadonlyArray<string>; readonly scope?: Site },
  describe: (site: Site) => string = describeSite
): string => {
  const [first, ...rest] = path
  if (first === undefined) return "a root of the heap"
  if (scope?.name === first) return [describe(scope), ...rest].join(" → ")
  return `${path.join(" → ")}${scope === undefined ? "" : `, near ${describe(scope)}`}`
}

/** Names from the beginning, which is a variable of the program if there are any, and from the end. */
const shortened = (names: ReadonlyArray<string>, first: number): ReadonlyArray<string> =>
  names.length <= most ? names : [...names.slice(0, first), "…", ...names.slice(names.length - most + first + 1)]

const isOfProgram = ({ place }: HeapStep): boolean => place?.file !== undefined && isProgramFile(place.file)

const isName = (edge: string): boolean => edge !== "[]" && edge !== "context" && edge !== ""

/** References and classes inside Effect and Node that every fiber and timer has: they do not help to find a container. */
const silentEdges: ReadonlySet<string> = new Set(
  ["_asyncContext", "_idleNext", "_observers", "_onTimeout", "_stack", "cache", "fiber", "iterator", "next"]
    .concat(["onCancel", "overlay", "resume", "state", "stackFrame", "value"])
)
const silentClasses: ReadonlySet<string> = new Set(
  ["ContImpl", "Generator", "IteratorImpl", "OnExitImpl", "Object", "PrimitiveImpl", ""]
)

const isOfLibrary = ({ kind, place }: HeapStep): boolean =>
  kind === "function" && place?.file !== undefined && !isProgramFile(place.file)

const namesOf = (step: HeapStep, index: number, steps: ReadonlyArray<HeapStep>): ReadonlyArray<string> => {
  const { edge, kind, node } = step
  const isLast = index === steps.length - 1
  const isSilent = kind === "scope" || node === "" || (!isLast && (silentClasses.has(node) || isOfLibrary(step)))
  return [
    ...isName(edge) && (isLast || !silentEdges.has(edge)) ? [edge] : [],
    ...isSilent ? [] : [kind === "function" && !isNoName.has(node) ? `${node}()` : nodeName(step)]
  ]
}

const anonymous = "(anonymous)"

/** V8 calls the frame of a module or a generator so. */
const isNoName: ReadonlySet<string> = new Set([anonymous, "Generator"])

/** A function without a name is named by its place. */
const nodeName = ({ kind, node, place }: HeapStep): string => {
  if (kind !== "function" || node !== anonymous) return node
  return place === undefined ? "a function" : `function at ${describeSite(siteOf({ ...place, name: "" }))}`
}
