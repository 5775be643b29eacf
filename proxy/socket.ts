// How sockets are opened, taken over and reset here. All knowledge of Node's net module that is not in its manual
// lives in this file; test/proxy/socket.test.ts checks it on every supported version.
import net from 'node:net'
import { sharedLookup } from './lookup.ts'

/** Where a socket's bytes go: into a buffer of ours, which is reused. Shapes as net's `onread` option. */
export interface ReadInto {
  /** The buffer for the next read; asked for after each one. */
  readonly buffer: () => Uint8Array
  /** Returning false stops reading until resume(). */
  readonly callback: (length: number, buffer: Uint8Array) => boolean
}

/** Bytes that may wait in a socket's write queue, behind the kernel's, before the other side is paused. */
export const WRITE_QUEUE_BYTES = 16_384

const socketOptions = {
  allowHalfOpen: true, // a client's FIN must not end the answer
  highWaterMark: WRITE_QUEUE_BYTES,
} as const

/** A peer that was silent for this long is asked by the kernel whether it still lives. */
const KEEP_ALIVE_MS = 60_000

/** A server whose sockets come paused and are to be handed to {@link adoptSocket}. */
export function createListener(onSocket: (accepted: net.Socket) => void): net.Server {
  return net.createServer({ ...socketOptions, pauseOnConnect: true }, onSocket)
}

/**
 * Takes over an accepted socket so that it reads into our buffers. net offers `onread` only for sockets that it
 * connects itself; a new Socket around the same handle has it for accepted ones, too. Measured: half of the CPU time
 * a GB of uploads, 5 % less CPU a request. The accepted object is dead afterwards.
 */
export function adoptSocket(accepted: net.Socket, onread: ReadInto): net.Socket {
  const from = accepted as unknown as HandleOwner
  const handle = from._handle
  from._handle = null
  const socket = new net.Socket({ ...socketOptions, handle, onread } as net.SocketConstructorOpts)
  // The server counts its connections by these; without them its close() would never finish.
  const to = socket as unknown as HandleOwner
  to.server = from.server
  to._server = from._server
  from._server = null
  return socket
}

/** Who is at the other end. Not by `remoteAddress`, which is remembered: see {@link onFin}. Empty if nobody is there. */
export function peerAddress(socket: net.Socket): string {
  const peer: { address?: string } = {}
  const handle = (socket as unknown as HandleOwner)._handle as { getpeername?(out: object): number } | null
  handle?.getpeername?.(peer)
  return peer.address ?? ''
}

/** net.Socket as Node's own code sees it (lib/net.js, unchanged in these points from Node 18 to 26). */
interface HandleOwner {
  _handle: unknown
  resetAndClosing: boolean
  server: unknown
  _server: unknown
}

/** Dials. Measured: 8 % less CPU a connection than by net.connect(), which copies options several times. */
export function connectSocket(host: string, port: number, onread: ReadInto): net.Socket {
  return new net.Socket({ ...socketOptions, onread } as net.SocketConstructorOpts).connect({
    host,
    port,
    lookup: sharedLookup,
  })
}

/**
 * Makes sure that a peer which lost power does not hold the socket for ever. For connections that have lived a while:
 * its eight system calls are a tenth of what a short connection costs.
 */
export function keepAlive(socket: net.Socket): void {
  if (!socket.destroyed) socket.setKeepAlive(true, KEEP_ALIVE_MS)
}

/** A write up to this fits into one segment (the MSS at IPv6's smallest MTU, RFC 8200 section 5). */
const ONE_SEGMENT_BYTES = 1220

/**
 * Whether Nagle's algorithm (RFC 9293 section 3.7.4) is to be off for a write: the peers decide on batching, not we.
 * It never holds back the first segment of a connection, and many have no other: two system calls less for each.
 */
export function needsNoDelay(first: boolean, bytes: number): boolean {
  return !first || bytes > ONE_SEGMENT_BYTES
}

const NOTHING = Buffer.alloc(0)

/**
 * Sends FIN behind all that has been written. Not by end() alone: while FIN waits behind unsent bytes, libuv refuses to
 * reset the socket, and Node would lose its handle.
 *
 * @param finished called when FIN is on its way, unless the socket is closed by then
 */
export function finishSocket(socket: net.Socket, finished: () => void = () => {}): void {
  if (socket.destroyed) return
  if (socket.writableLength > 0) socket.write(NOTHING, () => finishSocket(socket, finished))
  // Its FIN has come already, so closing it is the same on the wire, and saves a system call and a turn of the loop.
  else if (socket.readableEnded) socket.destroy()
  else socket.end(finished)
}

/**
 * Calls back when the peer has sent FIN. libuv reports an RST right behind data as an end of the stream, too. What tells
 * them apart is the kernel: after RST there is no peer any more (getpeername(2) says ENOTCONN), and writing nothing then
 * brings the socket's `error`. A socket remembers its peer once it was asked, so nothing may ask for it earlier.
 */
export function onFin(socket: net.Socket, callback: () => void): void {
  socket.on('end', () => {
    if (!socket.writable || socket.writableLength > 0 || socket.remoteAddress !== undefined) callback()
    else socket.write(NOTHING)
  })
}

/**
 * So long after bytes an RST behind them is to come. Right behind them it takes them from the receiver on most systems,
 * and to clients on libuv, Node's among them, it looks like FIN: a body that lasts until then would seem complete.
 */
export const RESET_GRACE_MS = 20

/** Ends a socket by RST if it is connected, and without a trace if it is still connecting. Nothing if it is gone. */
export function resetSocket(socket: net.Socket): void {
  if (socket.destroyed) return
  if (socket.connecting) {
    // The kernel may be connected already: closed as usual, the peer would see FIN. resetAndDestroy() would wait until
    // we are connected, too; what it does then is this. It needs a socket of the kernel's: there is none before the name
    // has been looked up.
    const owner = socket as unknown as HandleOwner
    owner.resetAndClosing = ((owner._handle as { fd?: number } | null)?.fd ?? -1) >= 0
    socket.destroy()
  }
  // FIN is on its way to the kernel, which takes a turn of the loop.
  else if (socket.writableEnded && !socket.writableFinished) socket.once('finish', () => socket.resetAndDestroy())
  else socket.resetAndDestroy()
}
