import { Schema } from "effect"

export class Bid extends Schema.Class<Bid>("Bid")({
  lot: Schema.String,
  bidder: Schema.String,
  cents: Schema.Int,
  seen: Schema.Array(Schema.String)
}) {}
