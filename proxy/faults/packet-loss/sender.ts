// The sending half of a simulated TCP: what is sent when, and what is sent again. States and rules are Linux's.
import type { LinkAttributes } from './attributes.ts'
import { CongestionWindow } from './congestion-window.ts'
import type { Fifo } from './fifo.ts'
import type { Acknowledgement } from './receiver.ts'
import { RttEstimator } from './rtt-estimator.ts'
import { Scoreboard } from './scoreboard.ts'
import { Segment } from './segment.ts'
import { wheelDueMs } from './timer-wheel.ts'
import { Undo } from './undo.ts'

/** What a receiver has room for: half of Linux's largest buffer, tcp_rmem. */
const RECEIVE_WINDOW_BYTES = 3 * 2 ** 20
/** Two ticks: the kernel's least timeout of a probe (TCP_TIMEOUT_MIN_US). */
const LEAST_TIMEOUT_MS = 8
/** So many segments behind a gap are proof enough that it is a loss (RFC 5681, 3.2). */
const DUPLICATE_THRESHOLD = 3

/** open: all is well. recovery: fast retransmit (RFC 6675). loss: after a retransmission timeout. */
type Mode = 'open' | 'recovery' | 'loss'

/** A sender has one timer, for one of: a timeout (RFC 6298), a tail loss probe or a segment's lateness (RFC 8985). */
type Timer = 'retransmission' | 'probe' | 'reordering'

/** What the sender needs of the link. */
export interface SenderLink {
  readonly nowMs: number
  /** A packet leaves with this segment. */
  transmit(segment: Segment): void
}

export class Sender {
  /** When {@link timerDue} is to be called. */
  timerDueMs = Infinity
  #timer: Timer = 'retransmission'
  #mode: Mode = 'open'
  #mssBytes: number
  #congestion: LinkAttributes['congestion']
  #window: CongestionWindow
  readonly #rtt: RttEstimator
  readonly #board = new Scoreboard()
  readonly #undo = new Undo()
  readonly #link: SenderLink
  readonly #arrivals: Fifo<Segment>
  /** How many of the receiver's arrivals are known here. */
  #arrivalsKnown = 0
  #segmentsSent = 0
  #acceptedOffset: number
  #nextOffset: number
  #acknowledgedOffset: number
  /** Recovery and loss end when all before this offset is acknowledged. */
  #recoveryEnd: number
  /** The offset up to which all had been sent at the last tail loss probe; undefined when none is under way. */
  #probeEnd: number | undefined
  #probeWasNew = false
  /** Timeouts in a row. */
  #timeouts = 0
  /** After a timeout: whether it was one in vain is still to be found out (F-RTO, RFC 5682). */
  #doubtsTimeout = false
  #windowInFullUse = false
  /** The most segments outstanding in the present round. */
  #mostOutstanding = 0
  #usageRoundEnd = 0
  #lastSentMs: number

  /** @param offset where the stream begins */
  constructor(attributes: LinkAttributes, link: SenderLink, arrivals: Fifo<Segment>, offset: number) {
    this.#mssBytes = attributes.mssBytes
    this.#congestion = attributes.congestion
    this.#window = new CongestionWindow(attributes.congestion)
    this.#rtt = new RttEstimator(attributes.rttMs, attributes.rtoMinMs)
    this.#link = link
    this.#arrivals = arrivals
    this.#acceptedOffset = this.#nextOffset = this.#acknowledgedOffset = this.#recoveryEnd = offset
    this.#lastSentMs = link.nowMs
  }

  /** Accepted and never sent. */
  get unsentBytes(): number {
    return this.#acceptedOffset - this.#nextOffset
  }

  get rtoMs(): number {
    return this.#rtt.rtoMs
  }

  update(attributes: LinkAttributes): void {
    this.#mssBytes = attributes.mssBytes
    this.#rtt.rtoMinMs = attributes.rtoMinMs
    if (attributes.congestion === this.#congestion) return
    this.#congestion = attributes.congestion
    this.#window = new CongestionWindow(attributes.congestion)
    this.#mode = 'open'
    this.#undo.forget()
    this.#send()
  }

  push(bytes: number): void {
    this.#acceptedOffset += bytes
    if (this.#board.inFlight === 0) {
      this.#window.restartAfterIdle(this.#link.nowMs - this.#lastSentMs, this.#rtt.rtoMs)
    }
    this.#send()
  }

  timerDue(): void {
    this.timerDueMs = Infinity
    if (this.#timer === 'probe') this.#probe()
    else if (this.#timer === 'reordering') this.#reorderingTimeout()
    else this.#retransmissionTimeout()
  }

  /** An acknowledgement has come, alone or with data (Linux: tcp_ack). */
  acknowledge(acknowledgement: Acknowledgement): void {
    const board = this.#board
    if (board.outstanding === 0) return
    const { nowMs } = this.#link
    const advanced = acknowledgement.cumulative > this.#acknowledgedOffset
    let delivered = 0
    let originalDelivered = false
    /** When the first of those was sent that arrived at their first try: in order, and behind a gap. */
    let inOrderSentMs: number | undefined
    let behindGapSentMs: number | undefined
    for (; this.#arrivalsKnown < acknowledgement.arrivals; this.#arrivalsKnown++) {
      const segment = this.#arrivals.shift()
      if (!segment) break
      delivered++
      if (segment.transmissions === 1) {
        if (segment.end <= acknowledgement.cumulative) inOrderSentMs ??= segment.sentMs
        else behindGapSentMs ??= segment.sentMs
        originalDelivered ||= segment.end <= this.#recoveryEnd
      }
      board.deliver(segment, nowMs, this.#rtt.minRttMs)
    }
    this.#acknowledgedOffset = Math.max(this.#acknowledgedOffset, acknowledgement.cumulative)
    // Karn's rule (RFC 6298, 3): a retransmitted segment tells nothing; its timestamp does (RFC 7323, 4.1).
    if (board.acknowledge(this.#acknowledgedOffset)) inOrderSentMs = undefined
    const measuredSentMs = inOrderSentMs ?? behindGapSentMs ?? (advanced ? acknowledgement.echoMs : undefined)
    if (measuredSentMs !== undefined) {
      this.#rtt.sample(Math.max(1, nowMs - measuredSentMs), this.#acknowledgedOffset, this.#nextOffset)
    }
    if (advanced) this.#timeouts = 0
    const first = board.first
    let rearm = advanced || (!!first && behindGapSentMs !== undefined && first.sentMs > behindGapSentMs)

    this.#settleProbe(acknowledgement)
    if (acknowledgement.duplicate) this.#undo.duplicateSeen()
    const newFirst = this.#changeMode(acknowledgement, advanced, originalDelivered, delivered)
    const lostBefore = board.lost
    if (this.#detectLosses()) rearm = false
    if (rearm) this.#armAfterProgress()
    if (this.#mode === 'recovery') {
      this.#window.reduce(delivered, board.inFlight, advanced && board.lost <= lostBefore)
    } else if (advanced && this.#windowLimits()) {
      this.#window.grow(delivered, nowMs, this.#rtt.minRttMs)
    }
    if (newFirst) {
      this.#sendNew()
      if (this.#nextOffset > this.#recoveryEnd) return
      this.#doubtsTimeout = false
    }
    this.#send()
  }

  /** Ends recovery or loss where it has ended. Returns whether new data is to be tried before what is lost. */
  #changeMode(ack: Acknowledgement, advanced: boolean, originalDelivered: boolean, delivered: number): boolean {
    const recovered = this.#acknowledgedOffset >= this.#recoveryEnd
    if (this.#mode === 'recovery') {
      if (this.#undo.wasInVain(recovered ? ack.echoMs : Infinity)) this.#undoReduction()
      else if (recovered) {
        this.#window.endReduction()
        this.#mode = 'open'
      }
      return false
    }
    if (this.#mode !== 'loss') return false
    if (advanced && this.#undo.wasInVain(ack.echoMs)) {
      this.#undoReduction()
      return false
    }
    if (this.#doubtsTimeout) {
      if (originalDelivered) {
        this.#undoReduction()
        return false
      }
      if (this.#nextOffset > this.#recoveryEnd) {
        if (delivered > 0 || !advanced) this.#doubtsTimeout = false
      } else if (advanced && !recovered) {
        this.#recoveryEnd = this.#nextOffset
        if (this.#roomForNew) return true
        this.#doubtsTimeout = false
      }
    }
    if (recovered) this.#mode = 'open'
    return false
  }

  #undoReduction(): void {
    if (this.#mode === 'loss') this.#board.unmarkLosses()
    this.#window.undo()
    this.#undo.forget()
    this.#timeouts = 0
    this.#mode = 'open'
  }

  /** RACK. Returns whether a timer now waits for a segment that is late. */
  #detectLosses(): boolean {
    const board = this.#board
    const againBefore = board.retransmissionsLost
    const waitMs = board.detectLosses(this.#link.nowMs, this.#reorderingToleranceMs())
    const lostAgain = board.retransmissionsLost > againBefore
    if ((this.#mode === 'open' && board.lost > 0) || (this.#mode === 'loss' && lostAgain)) this.#enterRecovery()
    if (waitMs > 0) this.#setTimer('reordering', waitMs + LEAST_TIMEOUT_MS)
    return waitMs > 0
  }

  #reorderingToleranceMs(): number {
    if (this.#mode !== 'open' || this.#board.selectivelyAcknowledged >= DUPLICATE_THRESHOLD) return 0
    return Math.min(this.#rtt.minRttMs / 4, this.#rtt.srttMs / 8)
  }

  #enterRecovery(): void {
    if (this.#mode === 'open') this.#window.remember()
    this.#undo.begin(this.#probeEnd !== undefined && !this.#probeWasNew ? 1 : 0)
    this.#window.beginReduction()
    this.#recoveryEnd = this.#nextOffset
    this.#probeEnd = undefined
    this.#mode = 'recovery'
  }

  #reorderingTimeout(): void {
    const waiting = this.#detectLosses()
    if (this.#mode === 'recovery') this.#window.reduce(1, this.#board.inFlight, false)
    if (!waiting) this.#armRetransmission()
    this.#send()
  }

  #retransmissionTimeout(): void {
    const { first } = this.#board
    if (!first) return
    const episode =
      this.#mode === 'open' ||
      this.#acknowledgedOffset >= this.#recoveryEnd ||
      (this.#mode === 'loss' && this.#timeouts === 0)
    this.#doubtsTimeout = this.#mode === 'open' || this.#timeouts > 0
    if (episode) {
      this.#window.remember()
      this.#undo.begin(0)
    }
    this.#probeEnd = undefined
    this.#board.loseAll(this.#link.nowMs)
    this.#window.collapse(this.#board.inFlight, episode)
    this.#mode = 'loss'
    this.#recoveryEnd = this.#nextOffset
    this.#retransmit(first)
    this.#timeouts++
    this.#rtt.backOff()
    this.#setTimer('retransmission', this.#rtt.rtoMs)
  }

  /** Tail loss probe: something new, else the last segment again, so that an answer tells what is missing. */
  #probe(): void {
    const { last } = this.#board
    if (this.#probeEnd === undefined && last) {
      this.#probeWasNew = this.#roomForNew
      if (this.#probeWasNew) this.#transmitNew()
      else this.#retransmit(last)
      this.#probeEnd = this.#nextOffset
      this.#setTimer('retransmission', this.#rtt.rtoMs)
    } else this.#armRetransmission()
  }

  /** RFC 8985, 7.4: what the answer to a probe says. */
  #settleProbe(acknowledgement: Acknowledgement): void {
    if (this.#probeEnd === undefined || acknowledgement.cumulative < this.#probeEnd) return
    if (this.#probeWasNew || acknowledgement.duplicate) this.#probeEnd = undefined
    else if (acknowledgement.cumulative > this.#probeEnd) {
      // The probe has repaired a loss that nobody else has seen.
      this.#probeEnd = undefined
      this.#window.beginReduction()
      this.#window.endReduction()
    }
  }

  get #roomForNew(): boolean {
    return this.unsentBytes > 0 && this.#nextOffset - this.#acknowledgedOffset < RECEIVE_WINDOW_BYTES
  }

  /** Sends what the window allows: first what was lost, then what is new. */
  #send(): void {
    const board = this.#board
    let firstResent = false
    while (board.inFlight < this.#window.segments) {
      const lost = board.firstLost()
      if (!lost) break
      firstResent ||= lost === board.first
      this.#retransmit(lost)
    }
    if (firstResent) this.#setTimer('retransmission', this.#rtt.rtoMs)
    this.#sendNew()
  }

  #sendNew(): void {
    const board = this.#board
    const nothingOutstanding = board.outstanding === 0
    let sent = false
    while (board.inFlight < this.#window.segments && this.#roomForNew) {
      this.#transmitNew()
      sent = true
    }
    this.#noteUsage(sent)
    if (!sent) return
    if (nothingOutstanding || this.#timer === 'probe') this.#armRetransmission()
    this.#armProbe(false)
  }

  #transmitNew(): void {
    const end = this.#nextOffset + Math.min(this.#mssBytes, this.unsentBytes)
    this.#transmit(new Segment(this.#segmentsSent++, this.#nextOffset, end))
    this.#nextOffset = end
  }

  #retransmit(segment: Segment): void {
    this.#undo.retransmitted(this.#link.nowMs)
    this.#transmit(segment)
  }

  #transmit(segment: Segment): void {
    const { nowMs } = this.#link
    this.#board.transmit(segment, nowMs)
    if (this.#mode === 'recovery') this.#window.sentWhileReducing()
    this.#lastSentMs = nowMs
    this.#link.transmit(segment)
  }

  /** A window that was never filled must not grow (RFC 7661, Linux: tcp_cwnd_validate). */
  #noteUsage(sent: boolean): void {
    const full = this.#board.inFlight >= this.#window.segments
    if (!sent && !full) return
    const { outstanding } = this.#board
    const roundOver = this.#acknowledgedOffset >= this.#usageRoundEnd
    if (!roundOver && !full && (this.#windowInFullUse || outstanding <= this.#mostOutstanding)) return
    this.#windowInFullUse = full
    this.#mostOutstanding = outstanding
    this.#usageRoundEnd = this.#nextOffset
  }

  #windowLimits(): boolean {
    if (this.#windowInFullUse) return true
    return this.#window.slowStart && this.#window.segments < 2 * this.#mostOutstanding
  }

  #armAfterProgress(): void {
    if (!this.#armProbe(true)) this.#armRetransmission()
  }

  /** @param progress the timeout starts anew. Returns false where a probe is out of place. */
  #armProbe(progress: boolean): boolean {
    const { first, outstanding, selectivelyAcknowledged, lost } = this.#board
    if (!first || this.#mode !== 'open' || selectivelyAcknowledged > 0 || lost > 0) return false
    let delayMs = 2 * this.#rtt.srttMs + (outstanding === 1 ? this.#rtt.rtoMinMs : LEAST_TIMEOUT_MS)
    const rtoLeftMs = progress ? this.#rtt.rtoMs : this.#rtoLeftMs(first)
    if (rtoLeftMs > 0) delayMs = Math.min(delayMs, rtoLeftMs)
    this.#setTimer('probe', delayMs)
    return true
  }

  #armRetransmission(): void {
    const { first } = this.#board
    if (!first) this.timerDueMs = Infinity
    else if (this.#timer === 'retransmission') this.#setTimer('retransmission', this.#rtt.rtoMs)
    else this.#setTimer('retransmission', Math.max(1, this.#rtoLeftMs(first)))
  }

  #rtoLeftMs(first: Segment): number {
    return first.sentMs + this.#rtt.rtoMs - this.#link.nowMs
  }

  #setTimer(timer: Timer, delayMs: number): void {
    this.#timer = timer
    this.timerDueMs = wheelDueMs(this.#link.nowMs, delayMs)
  }
}
