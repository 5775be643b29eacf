// The two ends of an exchange: raw sockets that do what a script says and write down what they see.

import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import { setImmediate as nextTurn } from 'node:timers/promises'

const nothing = Buffer.alloc(0)

/** An end waited in vain: what it waited for did not come through. */
export class InVain extends Error {}

/**
 * @typedef {object} Manners
 * @property {number} patienceMs for how long ends wait
 * @property {number} pieceBytes how much they send at a time
 */

/** Lets somebody wait until something has become true. */
class News {
  #waiting = new Set()

  tell() {
    for (const wake of this.#waiting) wake()
  }

  /** @param {() => unknown} find what it returns, once it is neither undefined nor false, is the result */
  async until(find, what, patienceMs) {
    const deadline = performance.now() + patienceMs
    for (;;) {
      const found = find()
      if (found !== undefined && found !== false) return found
      const leftMs = deadline - performance.now()
      if (leftMs <= 0) throw new InVain(`${what} did not come`)
      await this.#next(leftMs)
    }
  }

  async #next(timeoutMs) {
    let wake
    let timer
    await new Promise((resolve) => {
      wake = () => resolve()
      timer = setTimeout(wake, timeoutMs)
      this.#waiting.add(wake)
    })
    this.#waiting.delete(wake)
    clearTimeout(timer)
  }
}

/** One socket. */
export class End {
  #socket
  #manners
  #news
  #chunks = []
  /** @type {string} `open`, `FIN`, or the code of an error, e.g. ECONNRESET */
  ending = 'open'

  /** @param {import('node:net').Socket} socket @param {Manners} manners */
  constructor(socket, manners, news = new News()) {
    this.#socket = socket
    this.#manners = manners
    this.#news = news
    socket.setNoDelay(true)
    socket.on('data', (chunk) => {
      this.#chunks.push(chunk)
      news.tell()
    })
    socket.on('end', () => this.#sourceEnded())
    socket.on('error', (error) => this.#end(error.code ?? error.message))
  }

  /** Everything received so far, a character a byte. */
  get received() {
    const all = Buffer.concat(this.#chunks)
    this.#chunks = [all]
    return all.toString('latin1')
  }

  /** @param {string} text a character a byte */
  async send(text) {
    const bytes = Buffer.from(text, 'latin1')
    const { pieceBytes } = this.#manners
    for (let at = 0; at < bytes.length; at += pieceBytes) {
      if (at > 0) await nextTurn()
      this.#socket.write(bytes.subarray(at, at + pieceBytes))
    }
  }

  /** Sends FIN, and goes on reading. */
  end() {
    this.#socket.end()
  }

  /** Sends RST. */
  reset() {
    this.#socket.resetAndDestroy()
    this.#end('RST of its own')
  }

  destroy() {
    this.#socket.destroy()
  }

  /** @param {string | RegExp} mark */
  has(mark) {
    return typeof mark === 'string' ? this.received.includes(mark) : mark.test(this.received)
  }

  /** Waits until this has been received. @param {string | RegExp} mark @throws {InVain} */
  async until(mark) {
    await this.#news.until(() => this.has(mark), String(mark), this.#manners.patienceMs)
  }

  /** Waits for FIN or an error. @throws {InVain} */
  async untilEnded() {
    await this.#news.until(() => this.ending !== 'open', 'the end of the connection', this.#manners.patienceMs)
  }

  /**
   * libuv reports bytes with an RST right behind them as bytes and FIN. An empty write tells the two apart: after an RST
   * it fails.
   */
  #sourceEnded() {
    const socket = this.#socket
    if (!socket.writable || socket.writableLength > 0) this.#end('FIN')
    else socket.write(nothing, (error) => !error && this.#end('FIN'))
  }

  #end(ending) {
    this.ending = ending
    this.#news.tell()
  }
}

/** A server whose connections are one to a script: it speaks on the one from which it heard what it waited for last. */
export class ServerEnd {
  #server
  #manners
  #news = new News()
  /** @type {End[]} in the order of their accepting */
  connections = []
  /** @type {End} */
  #current

  /** @param {Manners} manners */
  static async start(manners) {
    const end = new ServerEnd()
    end.#manners = manners
    end.#server = createServer({ allowHalfOpen: true }, (socket) => {
      end.connections.push(new End(socket, manners, end.#news))
    })
    end.#server.listen(0, '127.0.0.1')
    await once(end.#server, 'listening')
    return end
  }

  get port() {
    return this.#server.address().port
  }

  /** Waits until this has come on one of the connections. @param {string | RegExp} mark @throws {InVain} */
  async until(mark) {
    const find = () => this.connections.find((connection) => connection.has(mark))
    this.#current = await this.#news.until(find, String(mark), this.#manners.patienceMs)
  }

  send(text) {
    return this.#current.send(text)
  }

  end() {
    this.#current.end()
  }

  reset() {
    this.#current.reset()
  }

  untilEnded() {
    return this.#current.untilEnded()
  }

  async close() {
    for (const connection of this.connections) connection.destroy()
    this.#server.close()
    await once(this.#server, 'close')
  }
}

/** @param {number} port @param {Manners} manners */
export async function connectEnd(port, manners) {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
  await once(socket, 'connect')
  return new End(socket, manners)
}
