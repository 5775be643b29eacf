// The small files in which Linux tells of itself: /proc and /sys/fs/cgroup.
import { readFileSync } from 'node:fs'

/** The file's text; undefined if it isn't there or can't be read. */
export function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'latin1')
  } catch {
    return undefined
  }
}

/** The number that the file holds; undefined also for `max`. */
export function readNumber(path: string): number | undefined {
  return toNumber(readText(path))
}

function toNumber(text: string | undefined): number | undefined {
  if (text === undefined || text.trim() === '') return undefined
  const number = Number(text)
  return Number.isFinite(number) ? number : undefined
}

/** The number behind a key at the beginning of a line, as in /proc/meminfo and memory.stat. */
export function numberAfter(text: string | undefined, key: string): number | undefined {
  return toNumber(text?.match(new RegExp(`^${key}\\s*(\\d+)`, 'm'))?.[1])
}
