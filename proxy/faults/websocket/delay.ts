// Messages that take their time. Many can be on their way at once.
import { checkDelay, delayFields, drawDelayMs, type Delay } from '../../delay.ts'
import { defineWebSocketFault, MessageStage, Schema, type Held, type WebSocketMessage } from './websocket-fault.ts'

class WebSocketDelayStage extends MessageStage<Delay> {
  protected override begin(message: WebSocketMessage): void {
    const delayMs = this.#delayMs(message)
    if (delayMs > 0) this.context.record('delay', { delayMs, ...this.describe(message) })
  }

  protected override passChosen(bytes: Buffer, message: WebSocketMessage): void {
    this.hold(bytes, this.#delayMs(message))
  }

  /** Nothing overtakes anything: what is not delayed waits for what is. */
  protected override passOthers(bytes: Buffer): void {
    this.hold(bytes)
  }

  /** Under new attributes what is on its way keeps its delay, if they can give one that is as long. */
  protected override dueMs({ arrivedMs, delayMs }: Held): number {
    return arrivedMs + Math.min(delayMs, longestMs(this.attributes))
  }

  /** The same for all frames of a message, each counted from its arrival. */
  #delayMs({ number }: WebSocketMessage): number {
    return drawDelayMs(this.attributes, this.context, number)
  }
}

function longestMs({ delayMs, jitterMs, distribution }: Delay): number {
  if (distribution === 'uniform') return delayMs + jitterMs
  return delayMs === 0 && jitterMs === 0 ? 0 : Infinity
}

export const websocketDelay = defineWebSocketFault<Delay>({
  type: 'websocket_delay',
  describe: 'Delays WebSocket messages, each from its arrival on. Order is kept and throughput is not limited.',
  schema: Schema.Object(delayFields),
  check: checkDelay,
  create: (attributes, context) => new WebSocketDelayStage(attributes, context),
})
