// The HTTP server behind the proxies: nginx with one worker, or Node's where nginx is missing.

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { startProgram, temporaryFolder } from '../children.mjs'
import { freePort, waitUntilListening } from '../network.mjs'
import { findProgram } from '../programs.mjs'

const nodeServer = fileURLToPath(new URL('node-http-server.mjs', import.meta.url))

/** @returns {Promise<{ port: number, description: string }>} */
export async function startHttpUpstream() {
  const nginx = await findProgram('nginx')
  const port = await freePort()
  const [command, ...args] = nginx === null ? [process.execPath, nodeServer, String(port)] : nginxCommand(nginx, port)
  const program = startProgram(command, args)
  await waitUntilListening(port, program)
  const description = nginx === null ? `node:http ${process.versions.node}` : `nginx ${nginx.version}`
  return { port, description }
}

function nginxCommand(nginx, port) {
  const folder = temporaryFolder()
  const file = join(folder, 'nginx.conf')
  writeFileSync(file, nginxConfiguration(folder, port))
  return [nginx.path, '-p', folder, '-c', file]
}

// Without a master process, so that ending it leaves no worker behind.
function nginxConfiguration(folder, port) {
  const temporaryPaths = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((name) => `  ${name}_temp_path ${folder}/${name};`)
    .join('\n')
  return `daemon off;
master_process off;
worker_processes 1;
pid ${folder}/nginx.pid;
error_log ${folder}/error.log;
events { worker_connections 4096; }
http {
  access_log off;
  keepalive_timeout 1h;
  keepalive_requests 1000000000;
  default_type text/plain;
${temporaryPaths}
  server {
    listen 127.0.0.1:${port} backlog=4096;
    location / { return 200 "It works, and this is all there is to say.\\n"; }
  }
}
`
}
