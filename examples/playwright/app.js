// The app under test: a page that asks for the cart, and offers to try again when that has failed.
import { createServer } from 'node:http'

const page = `<!doctype html>
<title>Shop</title>
<p id="cart">…</p>
<button hidden>Try again</button>
<script type="module">
  const cart = document.querySelector('#cart')
  const button = document.querySelector('button')
  async function show() {
    const answer = await fetch('/cart')
    button.hidden = answer.ok
    cart.textContent = answer.ok ? await answer.text() : 'The cart is not there.'
  }
  button.addEventListener('click', show)
  await show()
</script>`

createServer((request, response) => {
  const isCart = request.url === '/cart'
  response.setHeader('Content-Type', isCart ? 'text/plain' : 'text/html')
  response.end(isCart ? '2 apples' : page)
}).listen(process.env.PORT ?? 3000, '127.0.0.1')
