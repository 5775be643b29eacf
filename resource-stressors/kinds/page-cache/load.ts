// Page cache pressure in the child: a thread reads; the main thread asks the kernel what has stayed in memory.
import { readFileSync, fstatSync, ftruncateSync } from 'node:fs'
import { defineLoad, type LoadHost, type RunningLoad } from '../../child/load.ts'
import type { Progress } from '../../child/messages.ts'
import type { ThreadControl } from '../../child/thread-control.ts'
import type { Thread } from '../../child/threads.ts'
import { HiddenFile } from '../../disk/hidden-file.ts'
import { numberAfter } from '../../machine/files.ts'
import { Machine } from '../../machine/machine.ts'
import { CachedBytes } from './cached-bytes.ts'
import { Reader } from './reader.ts'
import type { SourceFile } from './source.ts'

export interface PageCacheTask {
  readonly bytes: number
  /** For a file of its own. */
  readonly folder: string | null
  /** Those that are read if there is no folder. */
  readonly files: readonly SourceFile[] | null
  readonly rereadMs: number
  /** The program that tells what of a file is cached; null = there is none, or it can't tell. */
  readonly fincore: string | null
  /** Of memory: below this everything is given back and the stressor ends. */
  readonly floorBytes: number
  /** Of {@link Machine}. */
  readonly machineRoot: string
}

type ReaderTask = Pick<PageCacheTask, 'bytes' | 'folder' | 'files' | 'rereadMs'>

/** Slot of {@link ThreadControl.targets}: how much is to be in the page cache. */
const WANTED_BYTES = 0
/** Slots of {@link ThreadControl.figures}: the descriptor of the file of its own, what was read, what files were gone. */
const OWN_FILE = 0
const READ_BYTES = 1
const MISSED = 2

/** How often the thread reads some of what is there once more. */
const CHECK_MS = 100
/** A file that is all hole has some blocks at most, for its own description. */
const MAX_HOLE_BLOCKS = 64

class PageCacheLoad implements RunningLoad {
  readonly #task: PageCacheTask
  readonly #thread: Thread
  readonly #machine: Machine
  readonly #cached: CachedBytes | undefined
  #wantedBytes = 0
  #last = { timeMs: performance.now(), readBytes: 0, fetchedBytes: fetchedBytes() }

  constructor(task: PageCacheTask, thread: Thread) {
    this.#task = task
    this.#thread = thread
    this.#machine = new Machine(task.machineRoot)
    const own = { path: `/proc/${process.pid}/fd/${this.#figure(OWN_FILE)}`, bytes: task.bytes }
    this.#cached = task.fincore === null ? undefined : new CachedBytes(task.fincore, task.files ?? [own])
  }

  #figure(slot: number): number {
    return this.#thread.control.figures[slot] ?? 0
  }

  ramp(share: number): void {
    void this.#cached?.refresh(this.#wantedBytes)
    const wantedBytes = Math.floor(this.#task.bytes * share)
    if (wantedBytes === this.#wantedBytes) return
    this.#wantedBytes = wantedBytes
    this.#thread.control.targets[WANTED_BYTES] = wantedBytes
    this.#thread.control.wake()
  }

  /**
   * `cachedBytes` are in memory now, by the kernel's count; `readBytesPerSecond` were read, of which
   * `fetchedBytesPerSecond` had to come from the disk; `missedFiles` were gone, each time that they were to be read.
   */
  progress(): Progress {
    const now = { timeMs: performance.now(), readBytes: this.#figure(READ_BYTES), fetchedBytes: fetchedBytes() }
    const seconds = Math.max(1, now.timeMs - this.#last.timeMs) / 1000
    const readBytesPerSecond = Math.round((now.readBytes - this.#last.readBytes) / seconds)
    const fetchedBytesPerSecond = Math.round((now.fetchedBytes - this.#last.fetchedBytes) / seconds)
    this.#last = now
    const cachedBytes = this.#cached?.bytes
    return {
      requested: { cachedBytes: this.#wantedBytes },
      achieved: {
        ...(cachedBytes !== undefined && { cachedBytes }),
        readBytesPerSecond,
        fetchedBytesPerSecond,
        missedFiles: this.#figure(MISSED),
      },
    }
  }

  breach(): string | undefined {
    const availableBytes = this.#machine.availableToProgramsBytes()
    const { floorBytes } = this.#task
    if (availableBytes >= floorBytes) return undefined
    return `only ${availableBytes} bytes of memory were available, less than the floor of ${floorBytes}`
  }

  async stop(): Promise<void> {
    await this.#thread.stop()
  }
}

/** What this process has had read from disks: /proc/[pid]/io, proc_pid_io(5). */
function fetchedBytes(): number {
  return numberAfter(readFileSync('/proc/self/io', 'latin1'), 'read_bytes:') ?? 0
}

async function start(task: PageCacheTask, host: LoadHost<ReaderTask>): Promise<RunningLoad> {
  const { bytes, folder, files, rereadMs } = task
  return new PageCacheLoad(task, await host.startThread({ bytes, folder, files, rereadMs }))
}

/** Reads as much as is wanted, and reads it again, evenly. */
function thread({ bytes, folder, files, rereadMs }: ReaderTask, control: ThreadControl, begun: () => void): void {
  const own = folder === null ? undefined : hole(folder, bytes)
  const all = own ? [{ path: `/proc/self/fd/${own.fd}`, bytes }] : (files ?? [])
  control.figures[OWN_FILE] = own?.fd ?? 0
  const [first, again] = [new Reader(all), new Reader(all)]
  begun()
  let lastMs = performance.now()
  let dueBytes = 0
  while (!control.stopping) {
    const wantedBytes = control.targets[WANTED_BYTES] ?? 0
    if (first.position < wantedBytes) first.read(wantedBytes - first.position)
    const nowMs = performance.now()
    // What others or a slow disk withhold is made up for, but never more than everything once.
    dueBytes = Math.min(first.position, dueBytes + (first.position * (nowMs - lastMs)) / rereadMs)
    lastMs = nowMs
    if (dueBytes >= 1) {
      if (again.position >= first.position) again.rewind()
      const before = again.position
      again.read(Math.min(Math.ceil(dueBytes), first.position - before))
      dueBytes -= again.position - before
    }
    control.figures[READ_BYTES] = first.readBytes + again.readBytes
    control.figures[MISSED] = first.missed + again.missed
    if (first.position >= wantedBytes && dueBytes < 1) control.sleep(CHECK_MS)
  }
  own?.close()
}

/** A file that has a size and no content: its pages are zeros, made when they are read, and cached like others. */
function hole(folder: string, bytes: number): HiddenFile {
  const file = new HiddenFile(folder)
  // Some file systems, e.g. FAT, have no holes: a little one shows it.
  ftruncateSync(file.fd, Math.min(bytes, 2 ** 20))
  if (fstatSync(file.fd).blocks > MAX_HOLE_BLOCKS) throw new Error(`the file system of ${folder} has no sparse files`)
  ftruncateSync(file.fd, bytes)
  return file
}

export const pageCacheLoad = defineLoad<PageCacheTask, ReaderTask>({ start, thread })
