# shellcheck shell=bash
# Completion for bash, self-contained: source this file, or install it as
# /usr/share/bash-completion/completions/accesslog_exporter.

_accesslog_exporter() {
	local cur=${COMP_WORDS[COMP_CWORD]} option='' choices=''
	local formats='apache_json apache_timed caddy_json combined
	    combinedio common envoy envoy_json haproxy_http istio
	    lighttpd nginx_ingress nginx_json nginx_timed traefik_clf traefik_json vhost_combined'

	# bash divides --format=comb at the "=".
	if [[ $cur == = ]]; then
		option=${COMP_WORDS[COMP_CWORD - 1]} cur=
	elif [[ ${COMP_WORDS[COMP_CWORD - 1]} == = ]]; then
		option=${COMP_WORDS[COMP_CWORD - 2]}
	fi

	COMPREPLY=()
	case $option in
	--format) choices="auto json $formats" ;;
	--read-from) choices='end beginning' ;;
	--log.level) choices='debug info warn error' ;;
	--log.format) choices='logfmt json' ;;
	--state.dir) mapfile -t COMPREPLY < <(compgen -d -- "$cur") ;;
	--config.file) mapfile -t COMPREPLY < <(compgen -f -- "$cur") ;;
	?*) return ;;
	esac
	if [[ ! $option && $cur == -* ]]; then
		choices='--log.level= --log.format='
		case ${COMP_WORDS[1]} in
		check) choices+=' --config.file=' ;;
		explain) choices+=' --format=' ;;
		scan) choices+=' --format= --quiet' ;;
		formats) ;;
		*)
			choices+=' --config.file= --format= --read-from= --state.dir=
			    --web.enable-lifecycle --web.listen-address=
			    --web.telemetry-path='
			;;
		esac
		((COMP_CWORD > 1)) || choices+=' --help --version'
		compopt -o nospace 2>/dev/null
	elif [[ ! $option && $COMP_CWORD -gt 1 && ${COMP_WORDS[1]} == formats ]]; then
		choices="json $formats"
	elif [[ ! $option ]]; then
		((COMP_CWORD > 1)) || choices='serve scan explain check formats'
		compopt -o filenames 2>/dev/null
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
	fi
	mapfile -t -O ${#COMPREPLY[@]} COMPREPLY < <(
		compgen -W "$choices" -- "$cur")
}
complete -F _accesslog_exporter accesslog_exporter
