// what people search for is counted in a trie, which suggests how to go on; a search counts until 500 others have come
// healthy: when the count of a node gets to nought the node is cut off
import { Effect } from "effect"
import { jitter } from "../../support/life.ts"

class Node {
  count = 0
  children = new Map()
}

class Suggestions {
  root = new Node()
  recent = []

  add(word, by) {
    let node = this.root
    for (const letter of word) {
      let child = node.children.get(letter)
      if (child === undefined) node.children.set(letter, child = new Node())
      child.count += by
      if (child.count === 0) {
        node.children.delete(letter)
        return
      }
      node = child
    }
  }

  search(word) {
    this.recent.push(word)
    this.add(word, 1)
    if (this.recent.length > 500) this.add(this.recent.shift(), -1)
  }

  complete(prefix) {
    let node = this.root
    for (const letter of prefix) {
      node = node.children.get(letter)
      if (node === undefined) return prefix
    }
    let word = prefix
    while (node.children.size > 0) {
      const [letter, best] = [...node.children].reduce((a, b) => b[1].count > a[1].count ? b : a)
      word += letter
      node = best
    }
    return word
  }
}

const syllables = ["ba", "ko", "ri", "sel", "tan", "mu", "fer", "lo", "ni", "dra", "ho", "wit"]
const some = () => syllables[Math.floor(Math.random() * syllables.length)]
const suggestions = new Suggestions()

const type = Effect.fn("type")(function*() {
  const word = some() + some() + (Math.random() < 0.5 ? some() : "") + (Math.random() < 0.3 ? some() : "")
  for (let length = 1; length < 4; length++) {
    suggestions.complete(word.slice(0, length))
    yield* Effect.sleep(jitter(40))
  }
  suggestions.search(word)
})

Effect.runFork(Effect.gen(function*() {
  while (true) {
    yield* Effect.forkChild(type())
    yield* Effect.sleep(jitter(12))
  }
}))
