# What a deployment is made of, without Docker. `sam build` calls build-<logical id>; the rest is for people.
SAM_VERSION := 1.170.0
SAM := .local/sam/bin/sam
CHECKOV_VERSION := 3.3.30
CHECKOV := .local/checkov/bin/checkov
MINISTACK_VERSION := 1.5.33
TRANSLATOR_VERSION := 1.115.0
MINISTACK := .local/ministack-py313/bin/ministack
BUNDLE_UV := $(abspath $(or $(wildcard .venv/bin/uv),$(shell command -v uv 2>/dev/null),.local/uv/bin/uv))
LOCKS := functions/requirements/control functions/requirements/keys functions/requirements/mint relay/requirements
BUNDLE = UV=$(BUNDLE_UV) $(PYTHON) infra/deploy/bundle.py $(if $(BUNDLE_PLATFORM),--platform $(BUNDLE_PLATFORM))

.PHONY: aws-lock aws-embed aws-bundles aws-check image-check

$(abspath .local/uv/bin/uv):
	@$(PYTHON) -m venv .local/uv && .local/uv/bin/pip install -q --disable-pip-version-check uv==$(UV_VERSION)

$(SAM): | .venv/ready
	@$(BIN)/uv venv -q --clear .local/sam && $(BIN)/uv pip install -q --python .local/sam/bin/python aws-sam-cli==$(SAM_VERSION)

$(CHECKOV): | .venv/ready
	@$(BIN)/uv venv -q --clear .local/checkov && $(BIN)/uv pip install -q --python .local/checkov/bin/python checkov==$(CHECKOV_VERSION)

# On Python 3.13 where there is one, because it runs the functions by its own interpreter.
$(MINISTACK): | .venv/ready
	@$(BIN)/uv venv -q --clear --python "$$($(BIN)/python -c 'import sys; from infra.deploy.bundle import PYTHON, find_python; \
	  print(find_python(PYTHON) or sys.executable)')" .local/ministack-py313
	@$(BIN)/uv pip install -q --python .local/ministack-py313/bin/python ministack==$(MINISTACK_VERSION) aws-sam-translator==$(TRANSLATOR_VERSION) \
	  $$(grep -o '^cryptography==[0-9.]*' requirements.lock)  # without it Cognito's tokens are not signed

build-DisconnectFunction build-SessionFunction build-SweepFunction: $(BUNDLE_UV)
	@$(BUNDLE) control "$(ARTIFACTS_DIR)"

build-KeysFunction: $(BUNDLE_UV)
	@$(BUNDLE) keys "$(ARTIFACTS_DIR)"

build-MintFunction: $(BUNDLE_UV)
	@$(BUNDLE) mint "$(ARTIFACTS_DIR)"

build-PageFunction: $(BUNDLE_UV)
	@$(BUNDLE) page "$(ARTIFACTS_DIR)"

build-RelayBundle: $(BUNDLE_UV)
	@$(BUNDLE) relay "$(ARTIFACTS_DIR)"

aws-lock: .venv/ready ## resolve what each bundle holds anew, within requirements.lock
	@for each in $(LOCKS); do $(BIN)/uv pip compile -q --no-header --generate-hashes --python-version 3.13 \
	  --python-platform aarch64-manylinux2014 --only-binary :all: --no-emit-index-url \
	  -c requirements.lock $$each.in -o $$each.lock || exit 1; done

aws-embed: .venv/ready ## copy the edge function and the relay's bootstrap into template.yaml
	@$(BIN)/python -m infra.deploy.embed

aws-bundles: $(SAM) ## sam build, and the sizes of what it made, in docs/bundles.md
	@SAM_CLI_TELEMETRY=0 $(SAM) build && $(BIN)/python -m infra.deploy.sizes

aws-check: setup $(SAM) $(CHECKOV) $(MINISTACK) ## sam validate and build, bundles in isolation, Checkov, least privilege
	@$(BIN)/pytest -m aws --timeout 900 tests/aws

image-check: .venv/ready ## build the relay's image without a daemon, run it and talk to it (Linux, root, buildah, debootstrap)
	@for tool in buildah debootstrap; do PATH="$$PATH:/usr/sbin" command -v $$tool >/dev/null || \
	  { echo "image-check: $$tool is missing; on Debian: apt-get install buildah debootstrap"; exit 1; }; done
	@[ "$$(id -u)" = 0 ] || { echo "image-check: it needs root, for a chroot"; exit 1; }
	@$(BIN)/pytest -m image --timeout 1800 tests/image
