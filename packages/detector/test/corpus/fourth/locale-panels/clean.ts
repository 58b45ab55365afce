/**
 * Panels of a dashboard that is rendered on the server, in the language that is set for all of them.
 *
 * What was wrong in leak.ts is put right: the listener that is removed is the one that was added.
 */
import { Effect } from "effect"
import { setMaxListeners } from "node:events"
import { jitter } from "../../support/life.ts"

const settings = new EventTarget()
setMaxListeners(0, settings)

class Panel {
  readonly rows: Array<string>
  private language = "en"

  constructor(name: string) {
    this.rows = Array.from({ length: 50 }, (_, n) => `${name} ${n} ${Math.random().toFixed(4)}`)
  }

  private readonly listener = this.translate.bind(this)

  mount() {
    settings.addEventListener("language", this.listener)
    return this
  }

  unmount() {
    settings.removeEventListener("language", this.listener)
  }

  translate(event: Event) {
    this.language = event.timeStamp % 2 < 1 ? "en" : "nl"
  }

  html() {
    return `<table lang="${this.language}">${this.rows.map((row) => `<tr>${row}</tr>`).join("")}</table>`
  }
}

const showPage = (name: string) =>
  Effect.acquireUseRelease(
    Effect.sync(() => new Panel(name).mount()),
    (panel) => Effect.delay(Effect.sync(() => panel.html()), jitter(30)),
    (panel) => Effect.sync(() => panel.unmount())
  )

let visits = 0
setInterval(() => {
  visits++
  if (visits % 2 === 0) Effect.runFork(showPage(`panel ${visits}`))
}, 15)
setInterval(() => settings.dispatchEvent(new Event("language")), 3000)
