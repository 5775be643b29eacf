// What acts, in a child process: the counterpart of a definition. It imports no schema, so that a child stays small.
import type { Progress } from './messages.ts'
import type { ThreadControl } from './thread-control.ts'
import type { Thread } from './threads.ts'

/** What a load may use of its process. */
export interface LoadHost<ThreadTask> {
  /** Runs {@link Load.thread} in a thread of its own. Resolves when it has begun. */
  startThread(task: ThreadTask): Promise<Thread>
}

/** A load that acts. All of it runs on the main thread of the child, which must never be kept busy. */
export interface RunningLoad {
  /** Called ten times a second: `share` of all that was asked for is to be had by now, 0 to 1. */
  ramp(share: number): void
  /** Called once a second, and at the end. */
  progress(): Progress
  /** Called ten times a second: why the load has to end at once, lest the machine suffer; undefined = all is well. */
  breach?(): string | undefined
  /** Called ten times a second: why there is nothing left to do, so that it ends; undefined = it goes on. */
  finished?(): string | undefined
  /** Gives everything back; resolves when that is done. What it throws is told as the stressor's last words. */
  stop(): Promise<void>
}

export interface Load<Task, ThreadTask = never> {
  /** Begins. Resolves when it acts; if it throws, nothing may be left. */
  start(task: Task, host: LoadHost<ThreadTask>): Promise<RunningLoad>
  /**
   * What runs in threads, for as long as `control` does not say stop. It may block and spin.
   *
   * @param begun to be called when all is ready to act; what is thrown before lets {@link LoadHost.startThread} fail
   */
  thread?(task: ThreadTask, control: ThreadControl, begun: () => void): void
}

/** Defines what a kind of stressor does in its process. */
export function defineLoad<Task, ThreadTask = never>(load: Load<Task, ThreadTask>): Load<Task, ThreadTask> {
  return load
}
