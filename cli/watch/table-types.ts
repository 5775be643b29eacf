// Which events the live table lists.
import { feedTypes } from '../../admin/feed/entry.ts'

/** Not of these: the table shows how many there are, and a flood of them would hide all else. */
const FLOODS = new Set<string>(['injection', 'connection_opened', 'connection_closed', 'stressor_report'])

export const tableTypes: readonly string[] = feedTypes.filter((type) => !FLOODS.has(type))
