# A JSON API of two files, without capabilities: GET /?amount=12.50&from=EUR&to=SEK
from table import RATES


def fetch(request, env):
    if request.method != "GET":
        return Response.json({"error": "ask with GET"}, 405)
    source, target = request.query.get("from", "EUR"), request.query.get("to", "EUR")
    for currency in [source, target]:
        if currency not in RATES:
            return Response.json({"error": "no rate of " + currency, "known": sorted(RATES.keys())}, 404)
    try:
        amount = float(request.query.get("amount", "1"))
    except ValueError:
        return Response.json({"error": "amount is a number"}, 400)
    return {"amount": amount, "from": source, "to": target, "result": round(amount / RATES[source] * RATES[target], 2)}
