// The program of a child's threads: waits, asleep, to be given a load; runs it; ends.
import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads'
import { findLoad } from './loads.ts'
import { ThreadControl } from './thread-control.ts'
import type { ThreadData, ThreadEvent, ThreadOrder } from './threads.ts'

const { shared, orders } = workerData as ThreadData
const control = new ThreadControl(shared)
// eslint-disable-next-line unicorn/require-post-message-target-origin -- that is a window's, not a thread's
const tell = (event: ThreadEvent): void => parentPort?.postMessage(event)

async function main(): Promise<void> {
  tell('ready')
  control.awaitRun()
  // Asleep, a thread gets no events: the order has to be fetched.
  const order = receiveMessageOnPort(orders)?.message as ThreadOrder | undefined
  if (order) (await findLoad(order.type)).thread?.(order.task, control, () => tell('begun'))
  tell('done')
  orders.close()
}

void main()
