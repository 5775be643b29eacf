// `faultline demo`: what it prints must work, word for word.
import { spawnSync } from 'node:child_process'
import { expect, test } from 'vitest'
import { LongRunning, shell } from './support.ts'

const hasCurl = spawnSync('curl', ['--version']).status === 0

async function start(): Promise<LongRunning> {
  const demo = LongRunning.faultline(['demo', '--port', '0', '--proxy-port', '0'])
  await demo.line((line) => line === 'Ctrl-C ends it.')
  return demo
}

/** The commands to try: what is indented most. */
function commandsOf(demo: LongRunning): string[] {
  return demo.lines.filter((line) => /^ {5}\S/.test(line)).map((line) => line.trim())
}

async function output(line: string): Promise<string> {
  const { code, stdout, stderr } = await shell(line)
  expect({ code, stderr }, line).toEqual({ code: 0, stderr: '' })
  return stdout
}

test.skipIf(!hasCurl)('the commands that it prints do what it says they do', async () => {
  await using demo = await start()
  const [call, addToxic, change, list, record, removeToxic, ...more] = commandsOf(demo) as [string, ...string[]]
  expect(more).toEqual([])
  expect(JSON.parse(await output(call))).toEqual({ hello: 'world', served: 1 })

  expect(await output(addToxic!)).toContain('latency=1000')
  const beforeMs = performance.now()
  expect(JSON.parse(await output(call))).toEqual({ hello: 'world', served: 2 })
  expect(performance.now() - beforeMs).toBeGreaterThan(1000)

  expect(JSON.parse(await output(change!))).toMatchObject({ attributes: { latency: 3000 } })
  expect(await output(list!)).toMatch(/^demo .*latency_downstream$/m)
  expect(JSON.parse(await output(record!))).toMatchObject({
    injections: [{ proxy: 'demo', action: 'delay', detail: { delayMs: 1000 } }, { type: 'latency' }],
  })
  await output(removeToxic!)
  expect(await output(list!)).toMatch(/^demo .*none$/m)
})

test('it says where things are, aligned and without colour in a pipe', async () => {
  await using demo = await start()
  const places = demo.lines.filter((line) => /^ {2}(?:service|proxy|API) /.test(line))
  expect(places.map((line) => line.indexOf('http://'))).toEqual([11, 11, 11])
  expect(demo.lines.join('\n')).not.toContain('\u001b')
})

test('from a checkout it calls the built file, and says what that is for those who installed it', async () => {
  await using demo = await start()
  expect(demo.lines).toContain(
    'Where Faultline is installed from npm, "npx faultline" stands for "node dist/esm/cli/main.js".',
  )
})

test('Ctrl-C ends it with exit code 0', async () => {
  await using demo = await start()
  const { code, stderr } = await demo.stop('SIGINT')
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
})
