// What `faultline watch` shows on a terminal: a head, the proxies, the partitions, the stressors, the latest events.
import type {
  FeedEntryView,
  PartitionView,
  ProxyView,
  StatusView,
  StressorView,
} from '../../admin/client/v1-answers.ts'
import type { Cell, Output } from '../output.ts'
import { printable } from '../output.ts'
import { reachedText } from '../stress-views.ts'
import { cutsText, endOf, stateCellOf } from '../v1-views.ts'
import { entryCells } from './entry-line.ts'
import type { Rates } from './rates.ts'

/** What is known of the server. */
export interface Watched {
  readonly url: string
  readonly status: StatusView
  readonly proxies: readonly ProxyView[]
  readonly partitions: readonly PartitionView[]
  readonly stressors: readonly StressorView[]
  readonly rates: Rates
  /** The latest, oldest first. */
  readonly entries: readonly FeedEntryView[]
  /** Why nothing is heard of the server, if so. */
  readonly lost: string | undefined
}

/** So many events are shown, however many proxies there are. */
const MIN_EVENT_ROWS = 4

/** Lines for a terminal of so many rows. */
export function picture(out: Output, watched: Watched, rows: number): string[] {
  const head = [...headLines(out, watched), '']
  const others = [...partitionLines(watched.partitions), ...stressorLines(watched.stressors)]
  const heading = ['', out.paint('bold', 'Latest events')]
  const room = rows - head.length - others.length - heading.length
  const table = proxyLines(out, watched, Math.max(2, room - MIN_EVENT_ROWS))
  const eventRows = Math.max(0, room - table.length)
  return [...head, ...table, ...others, ...heading, ...eventLines(out, watched.entries, eventRows)]
}

function headLines(out: Output, { url, status, rates, lost }: Watched): string[] {
  const { version, seed, connections, enabledFaults, stopped } = status
  const numbers = [
    `${connections} connections`,
    `${enabledFaults} faults act`,
    `${rateText(rates.of())} injections/s`,
    `seed ${seed}`,
  ]
  const title = `${out.paint('bold', 'faultline')} ${printable(version)} at ${printable(url)}`
  return [
    `${title}: ${numbers.join(', ')}`,
    ...(stopped ? [out.paint('red', 'EMERGENCY STOP: no fault can be added until "faultline resume"')] : []),
    ...(lost === undefined ? [] : [out.paint('red', printable(`No connection: ${lost}`))]),
  ]
}

function proxyLines(out: Output, { proxies, rates }: Watched, rows: number): string[] {
  if (proxies.length === 0) return ['There are no proxies.']
  const isAllShown = proxies.length + 1 <= rows
  const shown = isAllShown ? proxies : proxies.slice(0, Math.max(0, rows - 2))
  const lines = out.tableLines([
    ['PROXY', 'STATE', 'CONNECTIONS', 'INJECTIONS/S', 'FAULTS'],
    ...shown.map((proxy) => proxyCells(proxy, rates)),
  ])
  const [names = '', ...others] = lines
  return [out.paint('dim', names), ...others, ...(isAllShown ? [] : [`… and ${proxies.length - shown.length} more`])]
}

function proxyCells(proxy: ProxyView, rates: Rates): Cell[] {
  const { name, connections, faults } = proxy
  const active = faults.filter(({ enabled }) => enabled).map((fault) => fault.name)
  const names = active.join(', ')
  const rate = rateText(rates.of(name))
  return [
    name,
    stateCellOf(proxy),
    String(connections),
    rate === '0' ? rate : { text: rate, style: 'yellow' },
    names === '' ? { text: 'none', style: 'dim' } : { text: names, style: 'red' },
  ]
}

function partitionLines(partitions: readonly PartitionView[]): string[] {
  return partitions.map((partition) => printable(`${partition.name} (${partition.mode}): ${cutsText(partition)}`))
}

function stressorLines(stressors: readonly StressorView[]): string[] {
  return stressors.map((stressor) => {
    const { name, type, requestedNow: requested, achieved } = stressor
    return printable(`${name} (${type}): ${reachedText({ requested, achieved })}; ends ${endOf(stressor)}`)
  })
}

function eventLines(out: Output, entries: readonly FeedEntryView[], rows: number): string[] {
  if (rows === 0) return []
  return out.tableLines(entries.slice(-rows).map(entryCells))
}

function rateText(perSecond: number): string {
  return perSecond >= 10 || perSecond === 0 ? String(Math.round(perSecond)) : perSecond.toFixed(1)
}
