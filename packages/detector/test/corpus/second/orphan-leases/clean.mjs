/*
 * A document is locked while somebody edits it: a fiber holds the lease and gives it back when it is interrupted.
 *
 * What leak.mjs does wrong is put right here: closing the editor interrupts the fiber.
 */
import { Effect } from "effect"
import "../../support/life.ts"

const leases = { taken: 0, returned: 0 }

const lease = Effect.acquireRelease(
  Effect.sync(() => ({ number: ++leases.taken })),
  () => Effect.sync(() => leases.returned++)
)

const hold = Effect.scoped(Effect.andThen(lease, Effect.never))

class Editor {
  constructor(document) {
    this.document = document
    this.holder = Effect.runFork(hold)
  }

  close() {
    this.holder.interruptUnsafe()
    this.holder = undefined
  }
}

const editors = new Set()

const edit = (document) => {
  const editor = new Editor(document)
  editors.add(editor)
  setTimeout(() => {
    editor.close()
    editors.delete(editor)
  }, 100 + Math.random() * 400)
}

let documents = 0
const nextEditor = () => {
  edit(`document-${++documents}`)
  setTimeout(nextEditor, 40 + Math.random() * 80)
}

nextEditor()
