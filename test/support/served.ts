// Faultline as users run it: `faultline serve` in a process of its own, which can be measured and starved.
import { execFileSync, spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

const main = join(import.meta.dirname, '../../dist/esm/cli/main.js')

export interface Served extends AsyncDisposable {
  readonly url: string
  readonly process: ChildProcess
  /** Calls the API; a body makes it a POST. */
  api(path: string, body?: unknown, method?: string): Promise<any>
  /** Creates a proxy; returns its port. */
  proxy(name: string, upstream: string): Promise<number>
  /** Resident memory in bytes, as the system sees it. */
  residentBytes(): number
  /** Open file descriptors. */
  openFiles(): number
  /** Lets the process open no more files than this from now on. */
  limitOpenFiles(count: number): void
}

export async function startServed(...flags: string[]): Promise<Served> {
  const args = [main, 'serve', '--port', '0', ...flags]
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  const port = await startedPort(child)
  const url = `http://127.0.0.1:${port}`
  const api: Served['api'] = async (path, body, method = body === undefined ? 'GET' : 'POST') => {
    const headers = { 'content-type': 'application/json' }
    const answer = await fetch(url + path, {
      method,
      ...(body !== undefined && { headers, body: JSON.stringify(body) }),
    })
    const text = await answer.text()
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`)
    return text === '' ? undefined : JSON.parse(text)
  }
  return {
    url,
    process: child,
    api,
    async proxy(name, upstream) {
      const { listen } = await api('/proxies', { name, listen: '127.0.0.1:0', upstream })
      return Number(listen.split(':')[1])
    },
    residentBytes() {
      const status = readFileSync(`/proc/${child.pid}/status`, 'utf8')
      return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1]) * 1024
    },
    openFiles() {
      return readdirSync(`/proc/${child.pid}/fd`).length
    },
    limitOpenFiles(count) {
      execFileSync('prlimit', ['--pid', String(child.pid), `--nofile=${count}`])
    },
    async [Symbol.asyncDispose]() {
      if (child.exitCode !== null || child.signalCode !== null) return
      const exited = once(child, 'exit')
      child.kill('SIGTERM')
      await exited
    },
  }
}

async function startedPort(child: ChildProcess): Promise<number> {
  if (!child.stdout) throw new Error('stdout is a pipe')
  const lines = createInterface(child.stdout)
  return new Promise((resolve, reject) => {
    child.once('exit', (code) => reject(new Error(`faultline serve ended with ${code} before it had started`)))
    lines.on('line', (line) => {
      const entry = JSON.parse(line) as { port?: number }
      if (typeof entry.port === 'number') resolve(entry.port)
    })
  })
}
