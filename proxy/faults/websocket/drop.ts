// Messages that get lost on the way, whole.
import { defineWebSocketFault, MessageStage, Schema, type WebSocketMessage } from './websocket-fault.ts'

class WebSocketDropStage extends MessageStage<object> {
  protected override passChosen(): void {}

  protected override finish(message: WebSocketMessage): void {
    this.context.record('drop', { ...this.describe(message), bytes: message.payloadBytes })
  }

  /** The rest of a message without its beginning would be no message. */
  override get unfinished(): boolean {
    return this.inChosenMessage
  }
}

export const websocketDrop = defineWebSocketFault<object>({
  type: 'websocket_drop',
  describe: 'Drops WebSocket messages, each with all of its frames.',
  schema: Schema.Object({}),
  create: (attributes, context) => new WebSocketDropStage(attributes, context),
})
