// An entry of the feed as a line that people read.
import type { FeedEntryView } from '../../admin/client/v1-answers.ts'
import type { Cell, Style } from '../output.ts'
import { figuresText, reachedText } from '../stress-views.ts'

const styles: Readonly<Record<string, Style>> = {
  injection: 'yellow',
  fault_added: 'red',
  fault_changed: 'red',
  partition_created: 'red',
  fault_removed: 'green',
  partition_healed: 'green',
  stopped: 'red',
  resumed: 'green',
  stressor_started: 'red',
  stressor_stopped: 'green',
  config_rejected: 'red',
  experiment_started: 'yellow',
  experiment_breached: 'red',
  experiment_stopping: 'red',
  experiment_finished: 'green',
  gap: 'yellow',
}

/** Time, type, where, what: `14:03:59.123  fault_removed  shop  fault=latency_downstream reason=expired …`. */
export function entryCells(entry: FeedEntryView): Cell[] {
  const { timeMs, type, proxy, connection, direction, fault, action, stressor, stressorType, detail } = entry
  const where = `${proxy ?? '-'}${connection ? `#${connection}` : ''}`
  const what = [fault ?? [], action ?? [], direction ?? [], stressor ?? [], stressorType ?? []].flat()
  const more = orderedFields(detail).map((field) => `${field}=${detail[field]}`)
  const reached = stressor === undefined ? [] : [figuresOf(entry)]
  return [timeText(timeMs), styled(type), where, [...what, ...more, ...reached].join(' ')]
}

/** Before its first report a stressor has nothing: then it is said what it is after. */
function figuresOf({ requested = {}, achieved = {} }: FeedEntryView): string {
  return Object.keys(achieved).length === 0 ? figuresText(requested) : reachedText({ requested, achieved })
}

/** A narrow terminal cuts off what comes last. */
function orderedFields(detail: FeedEntryView['detail']): string[] {
  const first = ['fault', 'partition', 'lease', 'reason'].filter((field) => field in detail)
  const last = ['id'].filter((field) => field in detail)
  const others = Object.keys(detail).filter((field) => !first.includes(field) && !last.includes(field))
  return [...first, ...others, ...last]
}

function styled(type: string): Cell {
  const style = styles[type]
  return style === undefined ? type : { text: type, style }
}

/** Of the day, in the time zone of whoever watches. */
function timeText(timeMs: number): string {
  const time = new Date(timeMs)
  const clock = [time.getHours(), time.getMinutes(), time.getSeconds()].map((value) => digits(value, 2)).join(':')
  return `${clock}.${digits(time.getMilliseconds(), 3)}`
}

function digits(value: number, count: number): string {
  return String(value).padStart(count, '0')
}
