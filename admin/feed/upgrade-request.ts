// Which requests may become WebSockets: none but those for the feed.
import { IncomingMessage } from 'node:http'

/** Also by its alias, which becomes the path when the request is routed. */
const PATH = /^\/(?:v1\/events|ws)(?:\?|$)/

/**
 * For `http.createServer()`. As soon as anybody listens to `upgrade`, Node takes every request that offers one out of
 * HTTP, its body unread. Clients offer them without being asked: Java's offers h2c with its first request, also with a
 * POST. A server may ignore an offer (RFC 9110 section 7.8), so all others stay what they are.
 */
export class UpgradeRequest extends IncomingMessage {
  /** Set while the object is being made, when fields of its own do not exist yet. */
  declare private offered: boolean

  /** Asked by Node when the headers are there. */
  get upgrade(): boolean {
    return this.offered && PATH.test(this.url ?? '') && this.headers.upgrade?.toLowerCase() === 'websocket'
  }

  /** Set by Node's parser. */
  set upgrade(offered: boolean | null) {
    this.offered = offered === true
  }
}

/** Whether a request has been taken out of HTTP. */
export function isUpgrade(request: IncomingMessage): boolean {
  return request instanceof UpgradeRequest && request.upgrade
}
