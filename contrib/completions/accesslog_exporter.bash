# shellcheck shell=bash
# Completion for bash, self-contained: source this file, or install it as
# /usr/share/bash-completion/completions/accesslog_exporter.

_accesslog_exporter() {
	local cur=${COMP_WORDS[COMP_CWORD]} option='' choices=''

	# bash divides --format=comb at the "=".
	if [[ $cur == = ]]; then
		option=${COMP_WORDS[COMP_CWORD - 1]} cur=
	elif [[ ${COMP_WORDS[COMP_CWORD - 1]} == = ]]; then
		option=${COMP_WORDS[COMP_CWORD - 2]}
	fi

	COMPREPLY=()
	case $option in
	--format)
		choices='auto common combined vhost_combined nginx_timed
		    apache_timed nginx_ingress haproxy_http traefik_clf envoy
		    lighttpd json apache_json caddy_json envoy_json
		    nginx_json traefik_json'
		;;
	--read-from) choices='end beginning' ;;
	--log.level) choices='debug info warn error' ;;
	--log.format) choices='logfmt json' ;;
	--config.file) mapfile -t COMPREPLY < <(compgen -f -- "$cur") ;;
	?*) return ;;
	esac
	if [[ ! $option && $cur == -* ]]; then
		choices='--format= --log.level= --log.format='
		[[ ${COMP_WORDS[1]} =~ ^(scan|explain|formats|check)$ ]] || choices+=' --config.file= --web.enable-lifecycle --read-from=
		    --web.listen-address= --web.telemetry-path='
		((COMP_CWORD > 1)) || choices+=' --help --version'
		compopt -o nospace 2>/dev/null
	elif [[ ! $option ]]; then
		((COMP_CWORD > 1)) || choices='serve scan explain check formats'
		compopt -o filenames 2>/dev/null
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
	fi
	mapfile -t -O ${#COMPREPLY[@]} COMPREPLY < <(
		compgen -W "$choices" -- "$cur")
}
complete -F _accesslog_exporter accesslog_exporter
