package SL::Client;

# Real clients for the tests. All of them talk to the loopback and have a deadline.
#
#   my $client = SL::Client->new(port => $httpd->port('https'));
#   my $r = $client->curl('https://one.test/path', http => 2, cert => $ann, args => ['-d', 'x=1']);
#   my $r = $client->s_client('one.test', input => "GET / HTTP/1.0\r\n\r\n", args => ['-tls1_2']);
#   my $r = $client->gnutls('one.test', input => ...);
#   my $stream = $client->raw;                 bytes over TCP (SL::Stream)
#   my $stream = $client->tls('one.test');     text over TLS (SL::Stream)

use strict;
use warnings;
use IO::Socket::IP;
use Socket qw(SOCK_STREAM);
use SL::Certs;
use SL::Command qw(run start scratch_dir slurp slow find_program);
use SL::Stream;

# port     default port
# ip       127.0.0.1
# cacert   what to trust; the CA "ca" of SL::Certs if not set
sub new {
    my ($class, %o) = @_;
    return bless { ip => '127.0.0.1', %o }, $class;
}

sub cacert { my ($self, $o) = @_; return $o->{cacert} || $self->{cacert} || SL::Certs->new->ca('ca') }

sub certificate {
    my ($o, @flags) = @_;
    my $cert = $o->{cert} or return;
    return ($flags[0], $cert->{full}, $flags[1], $cert->{key});
}

# The URL may leave out the port: then it is that of new(). http => 1.0, 1.1 (default) or 2; insecure => 1.
# Result: that of SL::Command::run with code, version (as curl says it: 1.1, 2), headers (lower-case names, the last
# response's), head (all of them as received) and body.
sub curl {
    my ($self, $url, %o) = @_;
    my ($scheme, $host, $port, $path) = $url =~ m{^(https?)://(\[[^\]]*\]|[^:/]+)(?::(\d+))?(.*)$} or die "odd URL $url";
    $port ||= $self->{port};
    $path = '/' if $path eq '';
    my $dir  = $self->{scratch} ||= scratch_dir('sl-client');
    my $n    = ++$self->{serial};
    my $ip   = $self->{ip} =~ /:/ ? "[$self->{ip}]" : $self->{ip};
    my $http = $o{http} || '1.1';
    my $r    = run(
        [
            'curl', '-sS', '--noproxy', '*', '--max-time', 30 * slow(), '--resolve', "$host:$port:$ip",
            $http eq '2' ? '--http2' : "--http$http",
            ($o{insecure} ? '-k' : ('--cacert', $self->cacert(\%o))),
            certificate(\%o, '--cert', '--key'),
            '-D', "$dir/head$n", '-o', "$dir/body$n", '-w', '%{http_code} %{http_version} %{ssl_verify_result} %{num_connects}',
            @{ $o{args} || [] }, "$scheme://$host:$port$path"
        ],
        timeout => 35, stdin => $o{stdin}
    );
    my ($code, $version, $verify, $connects) = $r->{out} =~ /(\d+) (\S+) (\d+) (\d+)\z/;
    @$r{qw(code version connects)} = ($code ? $code + 0 : 0, $version || '0', $connects);
    $r->{head} = slurp("$dir/head$n");
    $r->{body} = slurp("$dir/body$n");
    $r->{headers} = {};
    my ($last) = $r->{head} =~ /(HTTP\/(?:(?!\r\n\r\n).)*)\r\n\r\n\z/s;
    while (($last || '') =~ /^([^\s:]+):[ \t]*(.*?)\r?$/mg) { $r->{headers}{ lc $1 } = $2 }
    unlink "$dir/head$n", "$dir/body$n";
    return $r;
}

# Common to s_client(), tls(): sni => name or '' for none (default: the host), cert, cacert, args.
sub s_client_command {
    my ($self, $host, $o) = @_;
    my $sni = exists $o->{sni} ? $o->{sni} : $host;
    my $ip = $self->{ip} =~ /:/ ? "[$self->{ip}]" : $self->{ip};
    my @ca = ($o->{args} && grep { $_ eq '-CAfile' || $_ eq '-no-CAfile' } @{ $o->{args} }) ? () : ('-CAfile', $self->cacert($o));
    return [
        'openssl', 's_client', '-connect', "$ip:" . ($o->{port} || $self->{port}), @ca,
        (defined $sni && $sni ne '' ? ('-servername', $sni) : '-noservername'),
        certificate($o, '-cert', '-key'), @{ $o->{args} || [] }
    ];
}

# Sends `input` and reads until the server closes; without input it hangs up right after the handshake, with
# stay => 1 it waits for the server (to see a TLS 1.3 server's alert about the client's certificate). Result: that of
# run() with text (stdout and stderr), connected (did the handshake succeed), protocol, cipher, alpn, resumed,
# verify (number), subject (of the server's certificate), group, alert (name, lower case, of one received) and
# alert_number.
sub s_client {
    my ($self, $host, %o) = @_;
    my @stay = $o{stay} || length($o{input} // '') ? '-ign_eof' : ();
    my $r = run([@{ $self->s_client_command($host, \%o) }, '-state', @stay], stdin => $o{input}, timeout => $o{timeout} || 20);
    my $text = $r->{text} = $r->{out} . $r->{err};
    my $find = sub { return $text =~ $_[0] ? $1 : undef };
    $r->{protocol} = $find->(qr/^New, (TLSv[\d.]+|SSLv3), Cipher/m) && $find->(qr/^\s*Protocol\s*: (\S+)/m)
        || $find->(qr/^(?:New|Reused), (TLSv[\d.]+)/m);
    $r->{cipher}  = $find->(qr/^(?:New|Reused), \S+, Cipher is (\S+)/m);
    $r->{resumed} = $text =~ /^Reused, /m ? 1 : 0;
    $r->{alpn}    = $find->(qr/^ALPN protocol: (\S+)/m);
    $r->{verify}  = $find->(qr/^\s*Verif(?:y|ication)\s*(?:return code)?: (\d+)/mi);
    $r->{subject} = $find->(qr/^subject=\s*(.*)$/m);
    $r->{group}   = $find->(qr/^(?:Server|Peer) Temp Key: (.*?)(?:, \d+ bits)?$/m)
        || $find->(qr/^Negotiated TLS1\.3 group: (.*)$/m);
    $r->{alert_number} = $find->(qr/:SSL alert number (\d+)/);
    $r->{alert} = $find->(qr{:(?:ssl|tls)\S* alert ([a-z ]+?):}) || $r->{alert_number};
    $r->{connected} = $r->{cipher} && $r->{cipher} ne '(NONE)' && $r->{err} !~ /^SSL_connect:(?:error|failed) in /m ? 1 : 0;
    return $r;
}

# Result: that of run() with text, connected, description ("(TLS1.3)-(ECDHE-...)...") and alert.
sub gnutls {
    my ($self, $host, %o) = @_;
    my $r = run(
        [
            'gnutls-cli', '--x509cafile', $self->cacert(\%o), '--port', $o{port} || $self->{port},
            '--verify-hostname', $host,
            (exists $o{sni} && !defined $o{sni} ? '--disable-sni' : ('--sni-hostname', $o{sni} || $host)),
            certificate(\%o, '--x509certfile', '--x509keyfile'),
            @{ $o{args} || [] }, $self->{ip}
        ],
        stdin => $o{input}, timeout => $o{timeout} || 20
    );
    $r->{text} = $r->{out} . $r->{err};
    $r->{connected}   = $r->{text} =~ /^- Handshake was completed/m ? 1 : 0;
    $r->{description} = $r->{text} =~ /^- Description: (.*)$/m      ? $1 : undef;
    $r->{alert}       = $r->{text} =~ /Received alert \[\d+\]: (.*)$/m ? lc $1 : undef;
    return $r;
}

# A TCP connection. Options: port, timeout (default of its reads).
sub raw {
    my ($self, %o) = @_;
    my $socket = IO::Socket::IP->new(
        PeerHost => $self->{ip}, PeerPort => $o{port} || $self->{port}, Type => SOCK_STREAM, Timeout => 10)
        or die "connect to $self->{ip}: $@";
    return SL::Stream->new(in => $socket, out => $socket, timeout => $o{timeout} || 10);
}

# A TLS connection through openssl s_client: what is sent and read is the text inside. The program's own words
# are in the file ->{log}. commands => 1: they are in the text, and a line "K" updates the keys.
sub tls {
    my ($self, $host, %o) = @_;
    pipe(my $in,      my $child_out) or die "pipe: $!";
    pipe(my $child_in, my $out)      or die "pipe: $!";
    my $log = ($self->{scratch} ||= scratch_dir('sl-client')) . '/tls' . ++$self->{serial};
    my $pid = start([@{ $self->s_client_command($host, \%o) }, $o{commands} ? () : ('-quiet', '-ign_eof')],
        stdin => $child_in, stdout => $child_out, stderr => $log);
    close $_ for $child_in, $child_out;
    return SL::Stream->new(in => $in, out => $out, pid => $pid, log => $log, timeout => $o{timeout} || 10);
}

1;
