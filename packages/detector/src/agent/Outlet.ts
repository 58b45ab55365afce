/** The destination of an agent's messages: a channel to another process, or a function in this one. */
import type { Message } from "./Protocol.ts"

/** Delivers messages to the reader, in order. */
export interface Outlet {
  readonly send: (message: Message) => void
  /** Sends messages that are made one by one when there is room for them. */
  readonly sendAll: (messages: Iterator<Message>) => void
  /** Whether messages wait for the reader. */
  readonly isBusy: () => boolean
}

/** An outlet to a function, which receives each message as it is sent. */
export const outletTo = (send: (message: Message) => void): Outlet => ({
  send,
  sendAll: (messages) => {
    for (let next = messages.next(); next.done !== true; next = messages.next()) send(next.value)
  },
  isBusy: () => false
})
