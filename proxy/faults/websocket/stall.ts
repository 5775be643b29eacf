// A stream of messages that stops, and goes on later as if nothing had happened.
import { defineWebSocketFault, MessageStage, Schema, type WebSocketMessage } from './websocket-fault.ts'

export interface WebSocketStallAttributes {
  readonly durationMs: number
}

class WebSocketStallStage extends MessageStage<WebSocketStallAttributes> {
  /** Since when; undefined before the first message that matches. */
  #sinceMs: number | undefined

  /** Once on each connection. */
  protected override get choosing(): boolean {
    return this.#sinceMs === undefined
  }

  protected override begin(message: WebSocketMessage): void {
    this.#sinceMs = this.context.clock.now()
    this.context.record('stall', this.describe(message))
  }

  protected override passChosen(bytes: Buffer): void {
    this.hold(bytes)
  }

  protected override passOthers(bytes: Buffer): void {
    this.hold(bytes)
  }

  protected override dueMs(): number {
    if (this.#sinceMs === undefined) return -Infinity
    const { durationMs } = this.attributes
    return durationMs === 0 ? Infinity : this.#sinceMs + durationMs
  }
}

export const websocketStall = defineWebSocketFault<WebSocketStallAttributes>({
  type: 'websocket_stall',
  describe:
    'From the first WebSocket message that matches on, keeps all that comes in its direction; passes it on after ' +
    'durationMs or when removed, nothing lost. Once on each connection.',
  schema: Schema.Object({
    durationMs: Schema.Integer({
      default: 0,
      minimum: 0,
      description: 'Time in milliseconds; 0 = until the fault is removed.',
    }),
  }),
  create: (attributes, context) => new WebSocketStallStage(attributes, context),
})
