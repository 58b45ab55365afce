/** Chrome's DevTools as a package: another opinion on dominators and retained sizes. */
import { parse } from "heap-snapshot-toolkit"
import { createReadStream } from "node:fs"
import type { ReadStream } from "node:fs"

export interface Judged {
  readonly dominator: Uint32Array
  readonly retainedSize: Float64Array
  readonly ownSize: ReadonlyArray<number>
}

const judge = async (text: ReadableStream | ReadStream): Promise<Judged> => {
  const snapshot = await parse(text)
  const { dominatorsTree, nodeCount, nodeFieldCount, nodeSelfSizeOffset, nodes, retainedSizes } = snapshot
  return {
    dominator: dominatorsTree,
    retainedSize: retainedSizes,
    ownSize: Array.from({ length: nodeCount }, (_, node) => nodes.getValue(node * nodeFieldCount + nodeSelfSizeOffset))
  }
}

export const judgeText = (text: string): Promise<Judged> => judge(ReadableStream.from([text]))

export const judgeFile = (file: string): Promise<Judged> => judge(createReadStream(file, "utf8"))
