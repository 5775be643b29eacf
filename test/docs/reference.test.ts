// docs/reference/: each page is what the build makes of the registry, the schemas, the routes and the commands.
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { ROOT } from '../cli/support.ts'

const run = promisify(execFile)

test('the reference is as generated from what the program goes by', async () => {
  const { stderr } = await run(process.execPath, [join(ROOT, 'scripts', 'reference.mjs'), '--check']).catch(
    (error: { stderr: string }) => error,
  )
  expect(stderr).toBe('')
})
