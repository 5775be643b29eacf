// Messages whose content has been damaged on the way. Their framing stays right.
import { defineWebSocketFault, MessageStage, Schema, type WebSocketMessage } from './websocket-fault.ts'

export interface WebSocketCorruptAttributes {
  readonly rate: number
}

/** What is done to one message. */
interface Damage {
  /** Offset of the next byte to be damaged in the message's payload. */
  nextOffset: number
  draws: number
  flippedBits: number
}

/** Positions of the generator for each message: enough for a million flips. */
const DRAWS_PER_MESSAGE = 2 ** 21

class WebSocketCorruptStage extends MessageStage<WebSocketCorruptAttributes> {
  readonly #damages = new Map<WebSocketMessage, Damage>()

  protected override begin(message: WebSocketMessage): void {
    const damage: Damage = { nextOffset: 0, draws: 0, flippedBits: 0 }
    const gap = this.#drawGap(message, damage)
    // A message is chosen to be damaged, so it is, how short it may be.
    const { firstFrameBytes } = message
    const cut = gap >= firstFrameBytes && firstFrameBytes > 0 && gap !== Infinity
    damage.nextOffset = cut ? gap % firstFrameBytes : gap
    this.#damages.set(message, damage)
  }

  /** A mask need not be taken off: a bit that is flipped under it is flipped without it. */
  protected override edit(message: WebSocketMessage, payload: Buffer): void {
    const damage = this.#damages.get(message)
    if (!damage) return
    const offset = message.payloadBytes - payload.length
    while (damage.nextOffset < message.payloadBytes) {
      const index = damage.nextOffset - offset
      const bit = Math.floor(this.#draw(message, damage) * 8)
      payload[index] = (payload[index] ?? 0) ^ (1 << bit)
      damage.flippedBits++
      damage.nextOffset += 1 + this.#drawGap(message, damage)
    }
  }

  protected override finish(message: WebSocketMessage): void {
    const flippedBits = this.#damages.get(message)?.flippedBits ?? 0
    this.#damages.delete(message)
    if (flippedBits === 0) return
    this.context.record('corrupt', { flippedBits, ...this.describe(message), bytes: message.payloadBytes })
  }

  /** How many bytes stay whole before the next: geometric, so that each byte has the same chance. */
  #drawGap(message: WebSocketMessage, damage: Damage): number {
    const { rate } = this.attributes
    if (rate >= 1) return 0
    if (rate <= 0) return Infinity
    return Math.floor(Math.log1p(-this.#draw(message, damage)) / Math.log1p(-rate))
  }

  /** Goes by the message and by how many came before in it, whatever chunks it comes in. */
  #draw(message: WebSocketMessage, damage: Damage): number {
    return this.context.random.at(message.number * DRAWS_PER_MESSAGE + damage.draws++)
  }
}

export const websocketCorrupt = defineWebSocketFault<WebSocketCorruptAttributes>({
  type: 'websocket_corrupt',
  describe:
    'Flips a bit in this share of the bytes of WebSocket messages, in at least one byte of each; frames stay right. ' +
    'A receiver may refuse what is no UTF-8 any more, or does not decompress, by closing with code 1007.',
  schema: Schema.Object({
    rate: Schema.Number({ default: 0.01, minimum: 0, maximum: 1, description: 'Share of the payload bytes, 0 to 1.' }),
  }),
  create: (attributes, context) => new WebSocketCorruptStage(attributes, context),
})
