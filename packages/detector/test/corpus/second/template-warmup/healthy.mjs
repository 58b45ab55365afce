/*
 * Pages are rendered from templates that are compiled to functions when they are first used, in each of four languages.
 * Most requests are for the newest template; the last appears at 40 % of the run. Every request makes a lot of garbage.
 *
 * Why it is healthy: there are 40 templates and four languages.
 */
import { Effect } from "effect"
import { elapsed } from "../../support/life.ts"

const languages = ["de", "en", "fr", "it"]
const compiled = new Map()

const compile = (name, language) => {
  const parts = Array.from({ length: 150 }, (_, n) => `${language}:${name}:${n}:`)
  return (data) => parts.map((part, n) => part + data[n % data.length]).join("\n")
}

const template = (name, language) => {
  const key = `${name}/${language}`
  if (!compiled.has(key)) compiled.set(key, compile(name, language))
  return compiled.get(key)
}

const page = Effect.suspend(() => {
  const known = Math.ceil(Math.min(elapsed() / 0.4, 1) * 40)
  const name = `template-${Math.random() < 0.6 ? known : Math.ceil(Math.random() * known)}`
  const language = languages[Math.floor(Math.random() * languages.length)]
  const data = Array.from({ length: 2000 }, () => Math.random().toString(36))
  return Effect.delay(Effect.sync(() => template(name, language)(data).length), 2)
})

setInterval(() => Effect.runFork(page), 12)
