// The child's side of startHelper: answers the parent's requests and ends when the parent is gone.

/**
 * @param {(request: any) => unknown} answer may return a promise; what it throws is passed to the parent
 */
export function answerRequests(answer) {
  process.on('message', (request) => void reply(answer, request))
  process.on('disconnect', () => process.exit())
  // Ctrl-C reaches the whole process group; the parent decides when its helpers end.
  process.on('SIGINT', () => {})
}

async function reply(answer, request) {
  try {
    process.send({ result: await answer(request) })
  } catch (error) {
    process.send({ error: error.message })
  }
}
