// The attributes of packet_loss, and what a simulated link is like: the former are turned into the latter.
import type { FaultDirection } from '../stage.ts'

/** Which algorithm decides how much a sender has in flight. `none`: as much as the receiver has room for. */
export type CongestionAlgorithm = 'cubic' | 'reno' | 'none'

export interface PacketLossAttributes {
  readonly loss: number
  /** What loses packets: a simulated TCP, or the system's own packet filter, which loses real ones. */
  readonly engine: 'simulation' | 'kernel'
  readonly burst: number
  readonly rtt?: number
  readonly mss: number
  readonly rtoMin: number
  readonly congestion: CongestionAlgorithm
}

/** The share of packets lost each way, 0 to 1. */
export interface Losses {
  readonly upstreamLoss: number
  readonly downstreamLoss: number
}

/** A fault loses the packets of its direction, be they data or acknowledgements of what goes the other way. */
export function lossesOf(loss: number, direction: FaultDirection): Losses {
  return {
    upstreamLoss: direction === 'downstream' ? 0 : loss,
    downstreamLoss: direction === 'upstream' ? 0 : loss,
  }
}

export interface LinkAttributes extends Losses {
  /** The share of packets lost on their way from the client to the server, 0 to 1: data and acknowledgements alike. */
  readonly upstreamLoss: number
  /** The same on the way from the server to the client. */
  readonly downstreamLoss: number
  /** How many packets in a row are lost on average; 1 or less: each packet's fate is its own. */
  readonly burst: number
  /** The time to the other end and back, in milliseconds; half of it each way. At least 1. */
  readonly rttMs: number
  /** The most bytes that one packet carries. */
  readonly mssBytes: number
  /** The least time before a retransmission timeout, in milliseconds (Linux: 200). */
  readonly rtoMinMs: number
  readonly congestion: CongestionAlgorithm
}

/** Ethernet's 1500 bytes less the headers of IP (20) and of TCP with timestamps (32); Linux's minimal timeout. */
export const DEFAULT_LINK: LinkAttributes = {
  upstreamLoss: 0,
  downstreamLoss: 0,
  burst: 1,
  rttMs: 10,
  mssBytes: 1448,
  rtoMinMs: 200,
  congestion: 'cubic',
}

/** A link that loses nothing is no link at all: what runs over it passes at once. */
export function losesNothing(link: LinkAttributes): boolean {
  return link.upstreamLoss <= 0 && link.downstreamLoss <= 0
}
