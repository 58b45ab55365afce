import { Context, Effect, Layer, PubSub } from "effect"

export type OrderEvent =
  | { readonly _tag: "Placed"; readonly order: number }
  | { readonly _tag: "Cancelled"; readonly order: number }
  | { readonly _tag: "Delivered"; readonly order: number }

export class Events extends Context.Service<Events, {
  readonly publish: (event: OrderEvent) => Effect.Effect<void>
  readonly hub: PubSub.PubSub<OrderEvent>
}>()("desk/Events") {
  static readonly layer = Layer.effect(
    Events,
    Effect.map(PubSub.unbounded<OrderEvent>(), (hub) => ({
      hub,
      publish: (event) => Effect.asVoid(PubSub.publish(hub, event))
    }))
  )
}
