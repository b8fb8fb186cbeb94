# One image for both processes: Freqtrade with our package in it, and the sidecar.
FROM python:3.11-slim AS build
WORKDIR /src
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY scalp_strategy scalp_strategy
COPY external_layers external_layers
RUN python -m venv /opt/scalp \
 && /opt/scalp/bin/pip install --no-cache-dir -c constraints.txt '.[postgres]'
# FreqUI comes from the internet; without it the bot runs all the same.
RUN /opt/scalp/bin/freqtrade install-ui || echo "FreqUI could not be had; the API works without it"

FROM python:3.11-slim
ENV PATH=/opt/scalp/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
RUN useradd --uid 1000 --create-home trader \
 && install -d -o trader -g trader /app /app/state /app/user_data
COPY --from=build /opt/scalp /opt/scalp
WORKDIR /app
COPY --chown=trader:trader config config
COPY --chown=trader:trader user_data/strategies user_data/strategies
COPY --chown=trader:trader user_data/hyperopts user_data/hyperopts
USER trader
CMD ["scalp", "--help"]
