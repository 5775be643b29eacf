// A server that is killed while it saves its state leaves a file that can be read.
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { expect, test } from 'vitest'
import { readState } from '../../admin/state/state-file.ts'
import { Random } from '../../proxy/random.ts'
import { LongRunning, ROOT } from '../cli/support.ts'

const TRIES = process.env['FAULTLINE_LONG'] ? 200 : 8
/** As many at a time as leave each a share of two cores. */
const AT_ONCE = 4
/** A save takes some 5 ms, so that most kills hit one in the middle. Writing straight to the file fails within a few tries. */
const LONGEST_LIFE_MS = 40

const stateFile = pathToFileURL(join(ROOT, 'dist', 'esm', 'admin', 'state', 'state-file.js')).href

/** Saves one state after the other, a megabyte each, until it is killed. */
function savingForEver(path: string): LongRunning {
  return LongRunning.script(`
    const { replaceFile } = await import(${JSON.stringify(stateFile)})
    const proxies = Array.from({ length: 10_000 }, (_, index) => ({ name: 'proxy-' + index, upstream: 'x:1', faults: [] }))
    for (let partition = 1; ; partition++) {
      const partitions = [{ name: 'partition-' + partition }]
      await replaceFile(${JSON.stringify(path)}, JSON.stringify({ version: 1, stopped: false, config: [], proxies, partitions }))
      if (partition === 1) console.log('saving')
    }
  `)
}

test(`${TRIES} times`, { timeout: TRIES * 2000 }, async () => {
  const folder = await mkdtemp(join(tmpdir(), 'faultline-kill-'))
  const random = new Random('kill')
  let saves = 0
  async function killOne(path: string, lifeMs: number): Promise<void> {
    await using saving = savingForEver(path)
    await saving.line((line) => line === 'saving')
    await new Promise((resolve) => setTimeout(resolve, lifeMs)) // the moment of the kill
    await saving.stop('SIGKILL')
    const state = await readState(path)
    expect(state?.proxies).toHaveLength(10_000)
    saves += Number(state?.partitions[0]?.name?.replace('partition-', ''))
  }
  for (let tries = 0; tries < TRIES; tries += AT_ONCE) {
    // The same files each time: what a killed process leaves is in the way of none of its successors.
    const round = Array.from({ length: AT_ONCE }, (_, index) => join(folder, `state-${index}.json`))
    await Promise.all(round.map((path) => killOne(path, random.next() * LONGEST_LIFE_MS)))
  }
  // Otherwise nothing has been killed in the middle of anything.
  expect(saves).toBeGreaterThan(TRIES * 1.5)
  expect((await readdir(folder)).filter((name) => !/^\.?state-\d\.json(\.tmp)?$/.test(name))).toEqual([])
  await rm(folder, { recursive: true })
})
